#include "app/counter_door.h"

#include <algorithm>

#include "app/service.h"
#include "app/startup_error.h"
#include "runtime/listener.h"

namespace tracker::app {

namespace {
constexpr auto readiness_pause = std::chrono::milliseconds(50);
}

void add_port_settings(SettingTable& table, PortSettings& settings,
                       const std::optional<SettingTable::Condition>& condition) {
  table.begin_group(SettingTable::Group::limits);
  table.add_count("--counter-connections-max", settings.connections_max, 1, 10'000'000,
                  "Open connections of gRPC clients; tracker's own envoys have 1024 besides.", condition);
  table.begin_group(SettingTable::Group::deadlines);
  table.add_duration("--counter-idle-deadline", settings.idle_deadline, std::chrono::milliseconds(1),
                     "How long a gRPC client's connection may be without a call.", condition);
}

ConnectionBudget wanted_connections(const PortSettings& settings) {
  return {.counter = settings.connections_max,
          .counter_envoys = rpc::CounterServerSettings{}.envoy_connections_max};
}

rpc::CounterServerSettings server_settings(const PortSettings& settings, const ConnectionBudget& budget) {
  return {.version = TRACKER_VERSION,
          .envoy_connections_max = budget.counter_envoys,
          .connections_max = budget.counter,
          .idle_deadline = settings.idle_deadline};
}

CounterDoor::CounterDoor(boost::asio::io_context& control, boost::asio::io_context& loop,
                         const runtime::Address& address, counter::Counter& counter,
                         const rpc::CounterServerSettings& settings)
    : counter_(counter),
      server_(listening("--counter-addr", address,
                        [&] {
                          return std::make_unique<rpc::CounterServer>(std::vector{&loop}, address, counter,
                                                                      settings);
                        })),
      timer_(control) {
  follow_readiness();
}

CounterDoor::~CounterDoor() {
  if (draining_.joinable()) draining_.join();
}

void CounterDoor::follow_readiness() {
  server_->set_readiness(counter_.why_not_ready().value_or(""));
  timer_.expires_after(readiness_pause);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error || draining_.joinable()) return;  // it may have been due already when drain() cancelled it
    follow_readiness();
  });
}

void CounterDoor::drain(std::chrono::milliseconds limit, std::function<void()> drained) {
  timer_.cancel();
  draining_ = std::thread([this, limit, drained = std::move(drained)] {
    server_->drain(limit);
    drained();
  });
}

bool is_off_loopback(const runtime::Address& address) {
  try {
    return !runtime::resolve(address).address().is_loopback();
  } catch (const boost::system::system_error&) {
    return true;
  }
}

void require_loopback(const std::string& flag, const runtime::Address& address, bool insecure) {
  if (insecure) return;
  bool is_loopback = false;
  try {
    const auto endpoints = runtime::resolve_all(address);
    is_loopback = std::all_of(endpoints.begin(), endpoints.end(),
                              [](const auto& endpoint) { return endpoint.address().is_loopback(); });
  } catch (const boost::system::system_error& error) {
    throw_listen_error(flag, address, error.code());
  }
  if (is_loopback) return;
  throw StartupError(StartupError::bad_setting,
                     flag + ": " + to_string(address) +
                         " is not a loopback address, and the link has no TLS; where the "
                         "network is trusted, say so by --insecure");
}

}  // namespace tracker::app
