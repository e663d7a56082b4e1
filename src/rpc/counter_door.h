#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "counter/counter.h"
#include "rpc/counter_server.h"
#include "runtime/address.h"

namespace tracker::rpc {

/// The gRPC door for a service. It follows the counter's readiness. It drains on its own thread, because
/// CounterServer::drain() blocks. Belongs to the thread that runs `control`.
class CounterDoor {
 public:
  /// Its connections are shared among `loops`, which must stop before the door is destroyed. Throws
  /// boost::system::system_error if it cannot listen.
  CounterDoor(boost::asio::io_context& control, const std::vector<boost::asio::io_context*>& loops,
              const runtime::Address& address, counter::Counter& counter,
              const CounterServerSettings& settings);
  ~CounterDoor();

  const std::vector<runtime::Endpoint>& endpoints() const { return server_->endpoints(); }

  /// As CounterServer::envoy_lists().
  const counter::ReadinessSource& envoy_lists() const noexcept { return server_->envoy_lists(); }

  /// As CounterServer::report().
  void report(metrics::Page& page) const { server_->report(page); }

  /// Health says that the end is near. Calls are still answered.
  void announce_end() { server_->announce_end(); }

  /// Calls `drained` from another thread.
  void drain(std::chrono::milliseconds limit, std::function<void()> drained);

 private:
  std::unique_ptr<CounterServer> server_;
  std::optional<runtime::Subscription> facts_to_server_;
  std::optional<runtime::Subscription> readiness_to_server_;  // until it drains
  std::thread draining_;
};

}  // namespace tracker::rpc
