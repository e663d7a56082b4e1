#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "counter/counter.h"
#include "domain/readiness.h"
#include "rpc/counter_server.h"
#include "rpc/envoy_lists.h"
#include "rpc/flight.h"
#include "rpc/public_turn.h"
#include "rpc/server_connection.h"
#include "rpc/server_metrics.h"
#include "runtime/bound_log.h"
#include "runtime/listener.h"
#include "runtime/log.h"

namespace tracker::rpc {

class ServerLoop;

/// What all loops of one server use together. Any thread.
struct ServerUse {
  std::atomic<std::size_t> unknown_connections = 0;  // their first settings have not come
  std::atomic<std::size_t> public_connections = 0;
  std::atomic<std::size_t> envoy_connections = 0;
  std::atomic<std::size_t> public_calls = 0;
  std::atomic<std::size_t> held_bytes = 0;   // of incomplete messages, and of answers that are not taken
  std::atomic<std::size_t> batch_bytes = 0;  // of batches at the counter

  std::vector<ServerLoop*> loops;  // all of them; does not change while they run
  runtime::BoundLog accept_log;
  runtime::BoundLog full_log;
  runtime::BoundLog dropped_log;
  const std::shared_ptr<EnvoyLists> envoy_lists = std::make_shared<EnvoyLists>();

  std::size_t connections() const noexcept {
    const std::size_t unknown =
        unknown_connections;  // first: a connection is greeted before it stops being unknown
    return unknown + public_connections + envoy_connections;
  }
};

/// The connections that one event loop serves, their bounds, and the turn of their public calls. Loop thread only,
/// except for what is marked otherwise. Destroy it after the loop has stopped.
class ServerLoop {
 public:
  ServerLoop(boost::asio::io_context& loop, counter::Counter& counter,
             std::shared_ptr<Flight::Caller> public_caller, const CounterServerSettings& settings,
             ServerUse& use);
  ~ServerLoop();

  boost::asio::io_context& context() noexcept { return loop_; }  // any thread

  /// Serves an accepted connection.
  void take(runtime::Socket socket);

  // Any thread, for these five.
  /// Tells every connection whether hits can be counted.
  void set_readiness(const domain::Readiness& readiness);
  /// Tells every envoy what the counter says of itself.
  void set_facts(const counter::CounterFacts& facts);
  /// Health says NOT_SERVING from now on.
  void announce_not_serving();
  /// Asks every client to make its calls elsewhere, and tells clients that connect from now on the reason. Calls that
  /// still come are served.
  void announce_end(const std::string& why);
  /// Ends every connection once everything that it has sent is answered. This includes connections that come later.
  void end_connections();

  // For connections and their calls.
  counter::Counter& counter() noexcept { return counter_; }
  const std::shared_ptr<Flight>& flight() const noexcept { return turn_.caller()->flight(); }
  const std::string& version() const noexcept { return settings_.version; }
  PublicInterface interface() const noexcept { return settings_.interface; }
  std::chrono::milliseconds request_deadline() const noexcept { return settings_.request_deadline; }
  /// Whether hits can be counted here, and should not be sent elsewhere.
  const domain::Readiness& readiness() const noexcept { return ending_ ? *ending_ : readiness_; }
  const counter::CounterFacts& facts() const noexcept { return facts_; }
  EnvoyLists& envoy_lists() noexcept { return *use_.envoy_lists; }
  /// What health says.
  bool is_serving() const noexcept { return readiness().is_ready() && !not_serving_; }
  PublicTurn& turn() noexcept { return turn_; }
  void on_greeted(ServerConnection& connection);
  void leave(ServerConnection& connection, std::size_t held_bytes);
  /// A public call begins. Returns false if there are too many.
  bool enter_call();
  void leave_calls(std::size_t calls) { use_.public_calls -= calls; }
  /// What a connection keeps has changed from `before` bytes. Soon afterwards, a connection that keeps too many answers
  /// is dropped. If the connections of all loops together keep too much, each loop that keeps more than its share drops
  /// those that have been stalled for longest.
  void on_held(ServerConnection& connection, std::size_t before);
  /// A batch of an envoy goes to the counter. Returns false if the batches at the counter have too many bytes.
  bool enter_batch(std::size_t bytes);
  void leave_batch(std::size_t bytes) noexcept { use_.batch_bytes -= bytes; }
  ServerMetrics& metrics() noexcept { return metrics_; }

  /// Any thread.
  const ServerMetrics& metrics() const noexcept { return metrics_; }

 private:
  void look_now_and_then();
  void look_at(ServerConnection& connection, runtime::Clock::time_point now);
  void drop_soon();
  void drop_who_keeps_most();
  void drop_oldest_unknown();
  void drop(ServerConnection& connection, const std::string& reason);
  std::atomic<std::size_t>& count_of(ServerConnection::Client client);
  std::vector<std::shared_ptr<ServerConnection>> connections() const;

  boost::asio::io_context& loop_;
  counter::Counter& counter_;
  const CounterServerSettings settings_;
  ServerUse& use_;
  ServerMetrics metrics_;
  PublicTurn turn_;
  std::unordered_set<std::shared_ptr<ServerConnection>> connections_;
  domain::Readiness readiness_ = domain::Readiness::ready();
  counter::CounterFacts facts_;
  std::optional<domain::Readiness> ending_;  // once announce_end() was called
  bool not_serving_ = false;
  bool connections_end_ = false;
  std::size_t unknown_connections_ = 0;
  std::size_t held_bytes_ = 0;          // of this loop's connections
  std::atomic<bool> dropping_ = false;  // a drop is scheduled; any thread
  boost::asio::steady_timer look_timer_;
};

}  // namespace tracker::rpc
