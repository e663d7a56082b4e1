#pragma once

#include <optional>

#include "app/setting_table.h"
#include "envoy/envoy_settings.h"
#include "runtime/address.h"
#include "runtime/drain.h"

namespace tracker::app {

/// The settings of `tracker serve`.
struct ServeSettings {
  runtime::Address envoy_addr{"127.0.0.1", 6380};
  std::optional<runtime::Address> health_addr;
  std::size_t threads = 1;
  envoy::EnvoySettings envoy;
  runtime::DrainSettings drain;
};

/// Declares the settings; `settings` outlives the table.
void add_serve_settings(SettingTable& table, ServeSettings& settings);

/// Runs envoy and counter in this process until it is drained, and answers the exit code. Throws
/// StartupError.
int serve(const ServeSettings& settings);

}  // namespace tracker::app
