#pragma once

#include <string>

#include "app/service_settings.h"
#include "app/setting_table.h"
#include "envoy/envoy_settings.h"

namespace tracker::app {

/// The settings of `tracker serve`.
struct ServeSettings {
  ServiceSettings service;
  envoy::EnvoySettings envoy;
};

/// Declares the settings; `settings` outlives the table.
void add_serve_settings(SettingTable& table, ServeSettings& settings);

/// Runs envoy and counter in this process until it is drained. Throws StartupError.
void serve(const ServeSettings& settings);

}  // namespace tracker::app
