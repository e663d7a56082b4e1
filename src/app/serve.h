#pragma once

#include <optional>
#include <string>

#include "app/admin.h"
#include "app/port_settings.h"
#include "app/self_service.h"
#include "app/service_settings.h"
#include "app/store_choice.h"
#include "app/token_settings.h"
#include "envoy/envoy_settings.h"
#include "runtime/address.h"
#include "settings/setting_table.h"

namespace tracker::app {

/// The settings of `tracker serve`.
struct ServeSettings {
  ServiceSettings service;
  std::optional<runtime::Address> counter_addr;
  bool insecure = false;
  StoreChoice store;
  TokenSettings tokens;
  envoy::EnvoySettings envoy;
  PortSettings port;
  SelfSettings self;
  AdminSettings admin;
};

/// Declares the settings; `settings` outlives the table.
void add_serve_settings(settings::SettingTable& table, ServeSettings& settings);

/// Runs envoy and counter in this process until it is drained. Throws StartupError.
void serve(const ServeSettings& settings);

}  // namespace tracker::app
