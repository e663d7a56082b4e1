#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "counter/counter.h"
#include "envoy/answer.h"
#include "envoy/connection.h"
#include "envoy/envoy_settings.h"
#include "envoy/exchange.h"
#include "envoy/places.h"
#include "envoy/turn_batch.h"
#include "runtime/deadlines.h"
#include "runtime/listener.h"
#include "runtime/ready_set.h"
#include "runtime/send_batch.h"

namespace tracker::envoy {

/// What the workers of one envoy service count together.
struct EnvoyTotals {
  std::atomic<std::size_t> connections = 0;     // those that have a place
  std::atomic<std::size_t> beyond_limit = 0;    // connections that wait for a place, were refused or gave way
  std::atomic<std::size_t> hits_in_flight = 0;  // and mints
  std::shared_ptr<AddressCounts> addresses = std::make_shared<AddressCounts>();
  std::vector<EnvoyWorker*> workers;  // all there are, complete before one of them runs
};

/// One worker's part of the envoy service: its listener, its connections, and the batch of its turn. A turn
/// is what the event loop has to do before it would wait again; the first hit or answer of a turn schedules
/// its end, where the hits are handed on in one batch and each connection with answers gets one write.
/// Everything is called from the worker's thread, but for what says otherwise.
class EnvoyWorker {
 public:
  EnvoyWorker(boost::asio::io_context& context, std::vector<runtime::Acceptor> acceptors,
              counter::Counter& counter, const EnvoySettings& settings, EnvoyTotals& totals);
  ~EnvoyWorker();

  /// Begins to accept.
  void start();

  /// Accepts no more, reads what has arrived once more, and lets every connection end with its answers.
  /// `on_drained` is called when the last one has ended.
  void drain(std::function<void()> on_drained);

  // What a connection asks of its worker.

  const EnvoySettings& settings() const noexcept { return settings_; }
  std::vector<char>& read_buffer() noexcept { return read_buffer_; }
  std::string& path_buffer() noexcept { return path_buffer_; }
  std::string& write_buffer() noexcept { return write_buffer_; }
  const AnswerWriter& answers() const noexcept { return answers_; }
  ExchangePool& exchanges() noexcept { return exchanges_; }

  /// Takes the hit into the batch of this turn; answers false if too many are in flight.
  bool track(const domain::TokenId& id, std::string_view path, Exchange& exchange);
  bool mint(Exchange& exchange);

  /// The exchange has its answer; its connection is written to at the end of the turn, which its caller schedules.
  void answered(Exchange& exchange);
  void schedule_turn_end();
  /// The connection has something to write, and does so at the end of the turn.
  void write_at_turn_end(Connection& connection);
  /// What is in the write buffer from `begin` on is sent to the connection, together with what others send.
  void send_later(Connection& connection, std::size_t begin);

  /// Whether a closed connection's sender may still be read for a while. Those beyond the limit leave room for
  /// others that come.
  bool may_linger(const Connection& connection) const noexcept {
    return !connection.is_beyond_limit() || totals_.beyond_limit <= settings_.refused_connections_max / 2;
  }

  /// The connection has served; it goes once nobody is at work with it.
  void ended(Connection& connection);

  enum class Waiting { idle, head, write, linger };
  /// Starts the connection's deadline of this kind.
  void arm(Waiting waiting, runtime::Expiring& connection);

  // What a batch asks of its worker.

  bool in_its_thread() const noexcept {
    return context_.get_executor().running_in_this_thread();
  }                                                                   // any thread
  auto executor() const noexcept { return context_.get_executor(); }  // any thread
  void take_back(TurnBatch& batch);
  /// So many have their verdicts, whose exchanges are answered. The turn ends with the last that are under way.
  void leave_flight(std::size_t hits);

 private:
  struct Entrance;
  void accept_later(Entrance& entrance);
  bool accept_some(Entrance& entrance, int max);
  void begin(runtime::Descriptor socket, const sockaddr_storage& address);
  void serve(runtime::Descriptor socket, AddressCounts::Place address);
  bool take_place() noexcept;

  /// A connection that came when all places were taken. It is among those beyond the limit.
  struct Arrival {
    runtime::Descriptor socket;
    AddressCounts::Place address;
    runtime::Clock::time_point now = runtime::Clock::now();
    std::optional<Claim> last_claim = std::nullopt;  // that came to nothing: only those behind it are left
    bool has_waited = false;
  };
  void find_place(Arrival arrival);
  void follow_claim(const Claim& claim, Arrival arrival);
  void wait_for_place(Arrival arrival);
  bool make_room(const Claim& claim, runtime::Clock::time_point now);
  void refuse(runtime::Descriptor socket, Refusal refusal);
  void publish_waiting() noexcept;

  void serve_ready();
  void end_turn();
  void hand_on();
  void send_all();
  bool enter_flight();
  void watch(runtime::Expiring& in_flight);
  std::optional<runtime::Clock::time_point> expire(runtime::Clock::time_point now);
  void report_if_drained();
  void refuse_and_close(const runtime::Descriptor& socket, Refusal refusal);

  boost::asio::io_context& context_;
  /// Where it accepts, and the pause after the machine had no room for more.
  struct Entrance {
    runtime::Acceptor acceptor;
    boost::asio::steady_timer pause;
  };
  std::vector<Entrance> entrances_;
  runtime::ReadySet ready_set_;
  counter::Counter& counter_;
  const EnvoySettings& settings_;
  EnvoyTotals& totals_;

  std::vector<char> read_buffer_;
  std::string path_buffer_;
  std::string write_buffer_;
  struct Write {
    Connection* connection;
    std::size_t begin;  // in the write buffer
    std::size_t size;
  };
  std::vector<Write> writes_;
  std::vector<runtime::SendBatch::Message> messages_;
  runtime::SendBatch send_batch_;
  AnswerWriter answers_;
  ExchangePool exchanges_;

  std::vector<std::unique_ptr<TurnBatch>> batches_;  // all there are
  std::vector<TurnBatch*> free_batches_;
  TurnBatch* batch_ = nullptr;       // of this turn; null while it has no hit
  bool turn_end_scheduled_ = false;  // now or later, there will be one
  bool turn_end_posted_ = false;
  std::optional<runtime::Clock::time_point> turn_ended_at_;  // while its answers are written
  std::size_t in_flight_ = 0;  // hits and mints without a verdict, also those that nobody waits for any more

  boost::intrusive::list<Connection, boost::intrusive::base_hook<ConnectionHook>,
                         boost::intrusive::constant_time_size<false>>
      connections_;
  boost::intrusive::list<Connection, boost::intrusive::base_hook<ReadyHook>,
                         boost::intrusive::constant_time_size<false>>
      ready_;  // those with new answers

  runtime::DeadlineQueue request_deadlines_;
  runtime::DeadlineQueue head_deadlines_;
  runtime::DeadlineQueue idle_deadlines_;
  runtime::DeadlineQueue write_deadlines_;
  runtime::DeadlineQueue linger_deadlines_;
  runtime::DeadlineTimer timer_;

  LongestWaiting longest_waiting_;    // as was told last
  std::size_t arrivals_waiting_ = 0;  // for a place

  bool draining_ = false;
  std::function<void()> on_drained_;
};

}  // namespace tracker::envoy
