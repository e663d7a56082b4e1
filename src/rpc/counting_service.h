#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <unordered_set>

#include "counter/counter.h"
#include "rpc/flight.h"
#include "runtime/listener.h"

namespace tracker::rpc {

class EnvoyConnection;

/// tracker.v1.Counting: batches of hits from tracker's own envoys, on one event loop. Belongs to that loop's
/// thread, but for what says otherwise; destroyed when the loop has stopped.
class CountingService {
 public:
  CountingService(boost::asio::io_context& loop, counter::Counter& counter, Flight& flight,
                  std::string version, std::chrono::milliseconds request_deadline);
  ~CountingService();

  /// Serves a connection whose client is one of ours.
  void take(runtime::Socket socket);

  /// Tells every envoy, when it changes. Any thread.
  void set_readiness(const std::string& why_not);

  /// Ends every connection once what it has received is answered, also those that come later. Any thread.
  void end_connections();
  bool has_connections() const noexcept { return count_ > 0; }  // any thread

  // What a connection asks.
  boost::asio::io_context& loop() noexcept { return loop_; }
  counter::Counter& counter() noexcept { return counter_; }
  Flight& flight() noexcept { return flight_; }  // any thread
  const std::string& version() const noexcept { return version_; }
  const std::string& why_not_ready() const noexcept { return why_not_ready_; }
  std::chrono::milliseconds request_deadline() const noexcept { return request_deadline_; }
  void leave(EnvoyConnection& connection);

 private:
  boost::asio::io_context& loop_;
  counter::Counter& counter_;
  Flight& flight_;
  const std::string version_;
  const std::chrono::milliseconds request_deadline_;
  std::unordered_set<std::shared_ptr<EnvoyConnection>> connections_;
  std::atomic<std::size_t> count_ = 0;  // of connections_
  std::string why_not_ready_;
  bool ending_ = false;
};

}  // namespace tracker::rpc
