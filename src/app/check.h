#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "app/setting_table.h"
#include "runtime/address.h"

namespace tracker::app {

/// The settings of `tracker check`.
struct CheckSettings {
  std::vector<runtime::Address> envoys;
  std::size_t requests = 4000;
};

/// Declares the settings; `settings` outlives the table.
void add_check_settings(SettingTable& table, CheckSettings& settings);

/// Sends the load of check_load() to the envoys, in random order and at once, and judges every answer:
/// progress on standard error, a table of expected and answered on standard output. Answers whether all was
/// as it must be. Throws StartupError.
bool check(const CheckSettings& settings);

}  // namespace tracker::app
