#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "envoy/envoy_settings.h"
#include "runtime/address.h"
#include "runtime/drain.h"
#include "runtime/log.h"
#include "settings/setting_table.h"

namespace tracker::app {

/// The settings that every service has.
struct ServiceSettings {
  std::string address_flag;  // of the service's own address
  runtime::Address address;
  std::optional<runtime::Address> health_addr;
  std::size_t threads = 1;
  runtime::DrainSettings drain;
  bool core_dumps = false;
  bool health_details = false;
  runtime::LogSettings log;
};

/// Declares the service's own address, health, threads, draining and log. The targets must outlive the table, here and
/// below.
void add_service_settings(settings::SettingTable& table, ServiceSettings& settings,
                          const std::string& address_flag, const std::string& address_environment,
                          runtime::Address address_default, const std::string& address_help);

/// Declares the limits and deadlines of the HTTP door, and its access log.
void add_envoy_settings(settings::SettingTable& table, envoy::EnvoySettings& settings);

/// A flag, and the address that it gives.
using FlagAndAddress = std::pair<std::string, runtime::Address>;

/// Refuses two listeners of this process at one address, because "address in use" would not say which. `others` are those
/// beside the service's own address and the health address. Throws StartupError.
void require_different_addresses(const ServiceSettings& settings,
                                 const std::vector<FlagAndAddress>& others = {});

/// The health address: as it was set, or the service's own address with its port + 10. Returns nothing if it was not
/// set and the port is 0. Throws StartupError if there is no such port.
std::optional<runtime::Address> health_address(const ServiceSettings& settings);

}  // namespace tracker::app
