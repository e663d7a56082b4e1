#pragma once

#include "app/service_settings.h"
#include "envoy/envoy_settings.h"
#include "runtime/address.h"
#include "settings/setting_table.h"

namespace tracker::app {

/// The settings of `tracker envoy`.
struct EnvoyCommandSettings {
  ServiceSettings service;
  runtime::Address counter_addr{"127.0.0.1", 6381};
  envoy::EnvoySettings envoy;
};

/// Declares the settings; `settings` outlives the table.
void add_envoy_command_settings(settings::SettingTable& table, EnvoyCommandSettings& settings);

/// Runs a stateless HTTP envoy service in front of a counter until it is drained. Throws StartupError.
void run_envoy_command(const EnvoyCommandSettings& settings);

}  // namespace tracker::app
