#include "app/port_settings.h"

#include "app/service.h"
#include "runtime/listener.h"
#include "settings/startup_error.h"

namespace tracker::app {

using settings::SettingTable;
using settings::StartupError;

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

bool is_off_loopback(const runtime::Address& address) {
  try {
    return !runtime::resolve(address).address().is_loopback();
  } catch (const boost::system::system_error&) {
    return true;
  }
}

void add_insecure_setting(SettingTable& table, bool& insecure, const std::string& flag,
                          const runtime::Address& address) {
  table.add_switch("--insecure", insecure, "Allows listening off loopback, although the link has no TLS.",
                   SettingTable::Condition{"a " + flag + " off loopback",
                                           [&address] { return is_off_loopback(address); }});
}

void require_loopback(const std::string& flag, const runtime::Address& address, bool insecure) {
  if (insecure || is_loopback(flag, address)) return;
  throw StartupError(StartupError::bad_setting,
                     flag + ": " + to_string(address) +
                         " is not a loopback address, and the link has no TLS; where the "
                         "network is trusted, say so by --insecure");
}

}  // namespace tracker::app
