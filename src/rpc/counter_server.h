#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "counter/counter.h"
#include "metrics/page.h"
#include "runtime/address.h"
#include "runtime/listener.h"

namespace tracker::rpc {

/// Which public interface a port has, beside health and reflection.
enum class PublicInterface : std::uint8_t {
  counting,      // manager_rpc.CounterService
  route_lookup,  // grpc.lookup.v1.RouteLookupService
};

constexpr std::string_view service_name(PublicInterface interface) noexcept {
  return interface == PublicInterface::counting ? "manager_rpc.CounterService"
                                                : "grpc.lookup.v1.RouteLookupService";
}

struct CounterServerSettings {
  std::string version;
  PublicInterface interface = PublicInterface::counting;
  std::size_t hits_max = 65'536;                      // hits and mints in flight, of all callers together
  std::chrono::milliseconds request_deadline{2'000};  // of calls without a deadline
  std::size_t envoy_connections_max = 1'024;          // of tracker's own envoys
  std::size_t connections_max = 1'000;                // of all other clients
  std::chrono::milliseconds idle_deadline{600'000};   // of those other clients, without a call

  /// The bound of connections whose first settings have not come. The oldest is closed to make room for the next.
  std::size_t unknown_connections_max() const noexcept {
    return std::max<std::size_t>(16, connections_max / 4);
  }
};

/// The gRPC port of a counter, or of a balancer: its public interface for everybody, grpc.health.v1.Health with Watch, server
/// reflection, and tracker.v1.Counting for tracker's own envoys. Envoys and other clients have separate bounds. A
/// connection above its bound is closed at once.
class CounterServer {
 public:
  /// Listens, and serves as soon as the loops run. The connections are distributed among the loops. Throws
  /// boost::system::system_error if it cannot listen. The port is never shared with other sockets. `loops` and
  /// `counter` must outlive the server.
  CounterServer(const std::vector<boost::asio::io_context*>& loops, const runtime::Address& address,
                counter::Counter& counter, const CounterServerSettings& settings);

  /// Cuts off the connections that are left. The loops must have stopped.
  ~CounterServer();

  /// Where it listens, with the real port: all addresses of a name.
  const std::vector<runtime::Endpoint>& endpoints() const noexcept { return endpoints_; }

  /// Tells health's watchers and the envoys whether hits can be counted. Any thread.
  void set_readiness(const domain::Readiness& readiness);

  /// Tells the envoys what the counter says of itself. Any thread.
  void set_facts(const counter::CounterFacts& facts);

  /// Always ready. Remarks name the lists of connected envoys that differ from the counter's. They change on any thread.
  const counter::ReadinessSource& envoy_lists() const noexcept;

  /// Health says NOT_SERVING from now on. Calls are still answered. Any thread.
  void announce_end();

  /// Adds what it has counted since the start. Any thread.
  void report(metrics::Page& page) const;

  /// Refuses new calls, answers those under way for at most `limit`, and then closes. Blocks. The loops must be
  /// running.
  void drain(std::chrono::milliseconds limit);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::vector<runtime::Endpoint> endpoints_;
};

}  // namespace tracker::rpc
