#pragma once

#include "app/list_settings.h"
#include "app/self_service.h"
#include "app/service_settings.h"
#include "envoy/envoy_settings.h"
#include "settings/setting_table.h"

namespace tracker::app {

/// The settings of `tracker envoy`.
struct EnvoyCommandSettings {
  ServiceSettings service;
  ListSettings counters{.flag = "--counter-addr"};
  envoy::EnvoySettings envoy;
  SelfSettings self;
};

/// Declares the settings; `settings` outlives the table.
void add_envoy_command_settings(settings::SettingTable& table, EnvoyCommandSettings& settings);

/// Runs a stateless HTTP envoy service in front of one or more counters until it is drained. Throws StartupError.
void run_envoy_command(const EnvoyCommandSettings& settings);

}  // namespace tracker::app
