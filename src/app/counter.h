#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "app/admin.h"
#include "app/list_settings.h"
#include "app/port_settings.h"
#include "app/service_settings.h"
#include "app/store_choice.h"
#include "app/token_settings.h"
#include "settings/setting_table.h"

namespace tracker::app {

/// The settings of `tracker counter`.
struct CounterSettings {
  ServiceSettings service;
  StoreChoice store;
  TokenSettings tokens;
  ListSettings peers{.flag = "--peers"};
  std::string name;  // in that list; empty: the listening address
  AdminSettings admin;
  bool insecure = false;
  std::size_t hits_max = 65'536;
  PortSettings port;
  std::chrono::milliseconds request_deadline{2'000};
};

/// Declares the settings; `settings` outlives the table.
void add_counter_settings(settings::SettingTable& table, CounterSettings& settings);

/// Runs the gRPC counter service until it is drained. Throws StartupError.
void run_counter(const CounterSettings& settings);

}  // namespace tracker::app
