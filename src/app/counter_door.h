#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "app/descriptor_budget.h"
#include "app/setting_table.h"
#include "counter/counter.h"
#include "rpc/counter_server.h"
#include "runtime/address.h"

namespace tracker::app {

/// What the counter's port grants to others than tracker's own envoys.
struct PortSettings {
  std::size_t connections_max = 1'000;
  std::chrono::milliseconds idle_deadline{600'000};
};

/// Declares them; `settings` outlives the table. Under a condition: where there may be no such port.
void add_port_settings(SettingTable& table, PortSettings& settings,
                       const std::optional<SettingTable::Condition>& condition = std::nullopt);

/// The connections that the port would like to have; and what its server is told, where it may have those of `budget`.
ConnectionBudget wanted_connections(const PortSettings& settings);
rpc::CounterServerSettings server_settings(const PortSettings& settings, const ConnectionBudget& budget);

/// The gRPC door as a service uses it: it follows the counter's readiness, and drains on a thread of its own,
/// since gRPC blocks for that. Belongs to the thread that runs `control`.
class CounterDoor {
 public:
  /// Throws StartupError, naming --counter-addr.
  /// The envoys' connections are served on `loop`, which stops before the door is destroyed.
  CounterDoor(boost::asio::io_context& control, boost::asio::io_context& loop,
              const runtime::Address& address, counter::Counter& counter,
              const rpc::CounterServerSettings& settings);
  ~CounterDoor();

  const std::vector<runtime::Endpoint>& endpoints() const { return server_->endpoints(); }

  /// Health says that the end is near; calls are still answered.
  void announce_end() { server_->announce_end(); }

  /// Calls `drained` from another thread.
  void drain(std::chrono::milliseconds limit, std::function<void()> drained);

 private:
  void follow_readiness();

  counter::Counter& counter_;
  std::unique_ptr<rpc::CounterServer> server_;
  boost::asio::steady_timer timer_;
  std::thread draining_;
};

/// Whether it listens for others than this machine, or its name cannot be found.
bool is_off_loopback(const runtime::Address& address);

/// Refuses to listen off loopback unless `insecure`: the link has no TLS, and whoever reaches it can count.
/// Throws StartupError.
void require_loopback(const std::string& flag, const runtime::Address& address, bool insecure);

}  // namespace tracker::app
