#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "counter/counter.h"
#include "envoy/acceptance.h"
#include "envoy/access_log.h"
#include "envoy/connection.h"
#include "envoy/envoy_metrics.h"
#include "envoy/envoy_settings.h"
#include "envoy/places.h"
#include "envoy/refusal.h"
#include "envoy/turn.h"
#include "envoy/worker_deadlines.h"
#include "runtime/descriptor.h"
#include "runtime/listener.h"
#include "runtime/ready_set.h"

namespace tracker::envoy {

/// One worker's part of the envoy service: its acceptance, its connections, their turns and their deadlines. It is
/// called from the worker's thread only. Invariants:
/// 1. A connection belongs to one worker from its beginning to its end.
/// 2. A connection that has ended is deleted after the event loop has run everything that is ready. Until then there
///    may be pointers to it.
/// 3. A worker is drained when it drains, has no connection, no arrival waits for a place, and nothing is in flight. It
///    says so once.
class EnvoyWorker {
 public:
  /// The arguments must outlive the worker.
  EnvoyWorker(boost::asio::io_context& context, std::vector<runtime::Acceptor> acceptors,
              counter::Counter& counter, const EnvoySettings& settings, EnvoyTotals& totals);
  ~EnvoyWorker();

  /// Begins to accept.
  void start() { acceptance_.start(); }

  /// Accepts no more connections, reads what has arrived, and lets every connection end with its answers. `on_drained`
  /// is called when the last one has ended.
  void drain(std::function<void()> on_drained);

  // For connections.

  const EnvoySettings& settings() const noexcept { return settings_; }
  EnvoyTotals& totals() noexcept { return totals_; }
  Acceptance& acceptance() noexcept { return acceptance_; }
  Turn& turn() noexcept { return turn_; }
  WorkerDeadlines& deadlines() noexcept { return deadlines_; }
  EnvoyMetrics& metrics() noexcept { return metrics_; }
  std::vector<char>& read_buffer() noexcept { return read_buffer_; }
  std::string& path_buffer() noexcept { return path_buffer_; }
  /// Null: there is none.
  AccessLog* access_log() noexcept { return access_log_ ? &*access_log_ : nullptr; }

  /// The connection has served (invariant 2).
  void ended(Connection& connection);

  // For the acceptance.

  /// Serves a connection that has a place.
  void serve(runtime::Descriptor socket, const domain::IpAddress& peer, AddressCounts::Place address);
  /// Answers a connection beyond the limit with this refusal, and ends it.
  void refuse(runtime::Descriptor socket, const domain::IpAddress& peer, Refusal refusal);
  bool is_drained() const noexcept { return state_ == State::drained; }
  void report_if_drained();

  /// Any thread.
  const EnvoyMetrics& metrics() const noexcept { return metrics_; }

 private:
  enum class State : std::uint8_t { serving, draining, drained };

  void serve_ready();
  void end_turn();

  boost::asio::io_context& context_;
  const EnvoySettings& settings_;
  EnvoyTotals& totals_;
  std::optional<AccessLog> access_log_;
  EnvoyMetrics metrics_;
  WorkerDeadlines deadlines_;
  Turn turn_;
  Acceptance acceptance_;
  runtime::ReadySet ready_set_;
  std::vector<char> read_buffer_;
  std::string path_buffer_;
  boost::intrusive::list<Connection, boost::intrusive::base_hook<ConnectionHook>,
                         boost::intrusive::constant_time_size<false>>
      connections_;
  State state_ = State::serving;
  std::function<void()> on_drained_;
};

}  // namespace tracker::envoy
