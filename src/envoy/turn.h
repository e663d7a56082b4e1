#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "counter/counter.h"
#include "envoy/answer.h"
#include "envoy/connection.h"
#include "envoy/envoy_settings.h"
#include "envoy/exchange.h"
#include "envoy/recent_clients.h"
#include "envoy/turn_batch.h"
#include "envoy/worker_deadlines.h"
#include "runtime/send_batch.h"

namespace tracker::envoy {

class EnvoyMetrics;
struct EnvoyTotals;

/// What a worker gathers before its event loop would wait again. At the end of the turn, its hits are handed on in one
/// batch, and each connection with new answers gets one write. Belongs to the worker's thread, except where a function
/// says otherwise. Invariants:
/// 1. A hit that was taken is in exactly one batch: in `filling_`, or in one that was handed on. A batch is filled
///    again only after its last verdict.
/// 2. `in_flight_` is the number of hits and mints that were taken and have no verdict yet, even if nobody waits for it
///    any more. Each of them is also in EnvoyTotals::hits_in_flight.
/// 3. If a hit or an answer waits for the end of the turn, that end is running or scheduled. At most one is posted.
/// 4. The end of a turn handles the connections that had answers when it began. Connections that get some meanwhile
///    belong to the next turn, so a client that never pauses does not make a turn endless.
/// 5. `write_buffer_` holds the bytes of `writes_`, in their order. Both are empty between turns.
class Turn {
 public:
  /// `on_end` is called last at the end of each turn. All arguments must outlive the turn.
  Turn(boost::asio::io_context& context, counter::Counter& counter, const EnvoySettings& settings,
       EnvoyTotals& totals, WorkerDeadlines& deadlines, EnvoyMetrics& metrics, std::function<void()> on_end);

  /// Tells that everything that is ready is about to be read. It is part of one turn, which the caller ends. All of it
  /// begins at one time.
  void begin() {
    end_scheduled_ = true;
    deadlines_.hold_clock();
  }
  void end();

  /// Hits and mints without a verdict.
  std::size_t in_flight() const noexcept { return in_flight_; }

  // For connections.

  /// Takes the hit into the batch of this turn. Returns false if too many are in flight.
  bool track(const domain::TokenId& id, std::string_view path, Exchange& exchange);
  bool mint(Exchange& exchange);

  ExchangePool& exchanges() noexcept { return exchanges_; }
  const AnswerWriter& answers() const noexcept { return answers_; }

  /// Tells that the connection has something to write. It does so at the end of the turn.
  void write_at_end(Connection& connection);
  /// A connection that writes appends its bytes to this buffer. send_later() sends the bytes from `begin` on, together
  /// with those of other connections.
  std::string& write_buffer() noexcept { return write_buffer_; }
  void send_later(Connection& connection, std::size_t begin);

  // For connections and batches.

  /// Tells that the exchange has its answer. Its connection writes at the end of the turn, which the caller must
  /// schedule.
  void answered(Exchange& exchange);
  void schedule_end();

  // For batches and mints.

  bool in_its_thread() const noexcept {
    return context_.get_executor().running_in_this_thread();
  }                                                                   // any thread
  auto executor() const noexcept { return context_.get_executor(); }  // any thread
  counter::Counter& counter() noexcept { return counter_; }
  void take_back(TurnBatch& batch);
  /// Tells that this many hits have their verdicts and their exchanges are answered. The last one in flight ends the
  /// turn.
  void leave_flight(std::size_t hits);

 private:
  void hand_on();
  void send_all();
  bool enter_flight();

  boost::asio::io_context& context_;
  counter::Counter& counter_;
  const EnvoySettings& settings_;
  EnvoyTotals& totals_;
  WorkerDeadlines& deadlines_;
  EnvoyMetrics& metrics_;
  const std::function<void()> on_end_;

  ExchangePool exchanges_;
  std::vector<std::unique_ptr<TurnBatch>> batches_;  // all there are
  std::vector<TurnBatch*> free_batches_;
  TurnBatch* filling_ = nullptr;  // null while this turn has no hit
  RecentClients clients_;
  std::size_t in_flight_ = 0;
  bool end_scheduled_ = false;  // an end is running or will come
  bool end_posted_ = false;

  boost::intrusive::list<Connection, boost::intrusive::base_hook<ReadyHook>,
                         boost::intrusive::constant_time_size<false>>
      ready_;  // those with something to write
  AnswerWriter answers_;
  std::string write_buffer_;
  struct Write {
    Connection* connection;
    std::size_t begin;  // in the write buffer
    std::size_t size;
  };
  std::vector<Write> writes_;
  std::vector<runtime::SendBatch::Message> messages_;
  runtime::SendBatch send_batch_;
};

}  // namespace tracker::envoy
