#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "app/descriptor_budget.h"
#include "rpc/counter_server.h"
#include "runtime/address.h"
#include "settings/setting_table.h"

namespace tracker::app {

/// The limits of the counter's port for clients other than tracker's envoys.
struct PortSettings {
  std::size_t connections_max = 1'000;
  std::chrono::milliseconds idle_deadline{600'000};
};

/// Declares them. `settings` must outlive the table. `condition` says when there is such a port.
void add_port_settings(settings::SettingTable& table, PortSettings& settings,
                       const std::optional<settings::SettingTable::Condition>& condition = std::nullopt);

/// The connections that the port would like to have; and what its server is told, where it may have those of `budget`.
ConnectionBudget wanted_connections(const PortSettings& settings);
rpc::CounterServerSettings server_settings(const PortSettings& settings, const ConnectionBudget& budget);

/// Whether other machines can reach the address. Also true if its name cannot be resolved.
bool is_off_loopback(const runtime::Address& address);

/// Declares --insecure, which a gRPC listener off loopback needs. `flag` names its address. Both targets must outlive the
/// table.
void add_insecure_setting(settings::SettingTable& table, bool& insecure, const std::string& flag,
                          const runtime::Address& address);

/// Refuses to listen off loopback unless `insecure`: the link has no TLS, and whoever reaches it can count.
/// Throws StartupError.
void require_loopback(const std::string& flag, const runtime::Address& address, bool insecure);

}  // namespace tracker::app
