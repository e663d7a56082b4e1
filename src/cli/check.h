#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/address.h"
#include "settings/setting_table.h"

namespace tracker::cli {

/// The settings of `tracker check`.
struct CheckSettings {
  std::vector<runtime::Address> envoys;
  std::size_t requests = 4000;
};

/// Declares the settings; `settings` outlives the table.
void add_check_settings(settings::SettingTable& table, CheckSettings& settings);

/// Sends the load of check_load() to the envoys, in random order and concurrently, and judges every answer. Writes its
/// progress to standard error, and a table of expected and answered requests to standard output. Returns whether every
/// answer was right. Throws StartupError.
bool check(const CheckSettings& settings);

}  // namespace tracker::cli
