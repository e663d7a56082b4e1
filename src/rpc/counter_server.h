#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "counter/counter.h"
#include "runtime/address.h"
#include "runtime/listener.h"

namespace tracker::rpc {

struct CounterServerSettings {
  std::string version;
  std::size_t hits_max = 65'536;                      // hits and mints in flight, of all callers
  std::chrono::milliseconds request_deadline{2'000};  // of calls that come without one
  std::size_t envoy_connections_max = 1'024;          // of tracker's own envoys
  std::size_t connections_max = 1'000;                // of all others
  std::chrono::milliseconds idle_deadline{600'000};   // of those others, without a call

  /// Connections that have not said yet what they are.
  std::size_t unsorted_connections_max() const noexcept {
    return std::max<std::size_t>(16, connections_max / 4);
  }
};

/// The counter's gRPC door: manager_rpc.CounterService for everybody, grpc.health.v1.Health with Watch, and
/// server reflection, by gRPC's library, which brings its own threads; and tracker.v1.Counting for tracker's
/// own envoys, on an event loop (counter_listener.h tells them apart). What is above a bound of connections is closed at
/// once; each kind has a bound of its own.
class CounterServer {
 public:
  /// Listens and serves, as soon as the loop runs. Throws boost::system::system_error if it cannot listen; the
  /// port is never shared. `loop` and `counter` outlive the server.
  CounterServer(boost::asio::io_context& loop, const runtime::Address& address, counter::Counter& counter,
                const CounterServerSettings& settings);

  /// Cuts off what is left. The loop has stopped.
  ~CounterServer();

  /// Where it listens, with the real port: on all the addresses of a name.
  const std::vector<runtime::Endpoint>& endpoints() const noexcept { return endpoints_; }

  /// Tells health's watchers and the envoys whether hits can be counted now; an empty reason says that they
  /// can. Call it as often as you like, from one thread.
  void set_readiness(const std::string& why_not);

  /// Health says NOT_SERVING from now on; calls are still answered. In the thread of set_readiness().
  void announce_end();

  /// Refuses what comes now, answers what is under way, for `limit` at most, and then closes. Blocks; the loop runs.
  void drain(std::chrono::milliseconds limit);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  bool serving_ = false;  // as health was told
  bool ending_ = false;   // announce_end() was called
  std::vector<runtime::Endpoint> endpoints_;
};

}  // namespace tracker::rpc
