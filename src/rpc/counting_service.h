#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "counter/counter.h"
#include "rpc/flight.h"
#include "runtime/bound_log.h"
#include "runtime/listener.h"

namespace tracker::rpc {

class EnvoyConnection;

/// tracker.v1.Counting: batches of hits from tracker's own envoys, on one event loop. Belongs to that loop's
/// thread, but for what says otherwise; destroyed when the loop has stopped.
class CountingService {
 public:
  CountingService(boost::asio::io_context& loop, counter::Counter& counter, std::shared_ptr<Flight> flight,
                  std::string version, std::chrono::milliseconds request_deadline,
                  std::size_t connections_max);
  ~CountingService();

  /// Serves a connection whose client is one of ours; or closes it, if there are as many as there may be.
  void take(runtime::Socket socket);

  /// Tells every envoy, when it changes. Any thread.
  void set_readiness(const std::string& why_not);

  /// Tells every envoy to make a new connection, and those that make it here why it is no use. Hits that come all the
  /// same are still taken. Any thread.
  void announce_end(const std::string& why);

  /// Ends every connection once what it has received is answered, also those that come later. Any thread.
  void end_connections();
  bool has_connections() const noexcept { return count_ > 0; }  // any thread

  // What a connection asks.
  boost::asio::io_context& loop() noexcept { return loop_; }
  counter::Counter& counter() noexcept { return counter_; }
  const std::shared_ptr<Flight>& flight() const noexcept { return flight_; }
  const std::string& version() const noexcept { return version_; }
  const std::string& why_not_ready() const noexcept {
    return why_ending_.empty() ? why_not_ready_ : why_ending_;
  }
  std::chrono::milliseconds request_deadline() const noexcept { return request_deadline_; }
  void leave(EnvoyConnection& connection, std::size_t held_bytes);

  /// What a connection keeps has changed, from so many bytes. If it keeps too much of its answers it is dropped soon; if
  /// all together keep too much, those that have kept theirs longest are.
  void on_held(EnvoyConnection& connection, std::size_t before);
  /// A connection hands a batch of so many bytes to the counter. Answers false if there are too many of them.
  bool enter_flight(std::size_t batch_bytes);
  void leave_flight(std::size_t batch_bytes) noexcept { batch_bytes_ -= batch_bytes; }

 private:
  void look_now_and_then();
  void drop_stalled();
  void drop_who_keeps_most();
  void drop(EnvoyConnection& connection, const std::string& reason);
  std::vector<std::shared_ptr<EnvoyConnection>> connections() const;

  boost::asio::io_context& loop_;
  counter::Counter& counter_;
  const std::shared_ptr<Flight> flight_;
  const std::string version_;
  const std::chrono::milliseconds request_deadline_;
  const std::size_t connections_max_;
  std::unordered_set<std::shared_ptr<EnvoyConnection>> connections_;
  std::atomic<std::size_t> count_ = 0;  // of connections_
  std::string why_not_ready_;           // as the connections were told
  std::string why_ending_;              // as those that come later are told
  bool ending_ = false;
  std::size_t held_bytes_ = 0;   // of all connections
  std::size_t batch_bytes_ = 0;  // that are with the counter
  bool dropping_ = false;        // soon
  boost::asio::steady_timer look_timer_;
  runtime::BoundLog full_log_;
  runtime::BoundLog dropped_log_;
};

}  // namespace tracker::rpc
