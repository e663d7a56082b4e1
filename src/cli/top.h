#pragma once

#include <chrono>
#include <cstddef>

#include "cli/admin_reader.h"
#include "cli/top_table.h"
#include "settings/setting_table.h"

namespace tracker::cli {

struct TopSettings {
  TopTable::By by = TopTable::By::path;
  TopTable::Over over = TopTable::Over::last_minute;
  std::size_t limit = 0;  // 0: as many as fit
  std::chrono::milliseconds interval{1'000};
  bool as_json = false;
  AdminDoorSettings doors;
};
extern const char* const about_top;
void add_top_settings(settings::SettingTable& table, TopSettings& settings);

/// Shows the busiest tokens or paths of services that run: on a terminal until it is ended, and elsewhere once. Throws
/// StartupError.
void top(const TopSettings& settings);

}  // namespace tracker::cli
