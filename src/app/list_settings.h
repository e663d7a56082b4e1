#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "counter/counter_list.h"
#include "runtime/address.h"
#include "settings/setting_table.h"

namespace tracker::app {

/// Where a list of counters stands: in a setting, in a file, or at balancers.
struct ListSettings {
  std::string flag;                              // of the list
  std::string text = {};                         // of the list; empty: none was given
  std::vector<runtime::Address> balancers = {};  // instead of a list
  std::string file = {};                         // empty: none was given
  std::size_t version = 0;

  bool is_given() const noexcept { return !text.empty() || !file.empty() || !balancers.empty(); }
};

/// What a flag needs beside which `other` must not be on the command line, and that `condition` holds.
settings::SettingTable::Condition without(
    const settings::SettingTable& table, std::string other,
    std::optional<settings::SettingTable::Condition> condition = std::nullopt);

/// Declares --counters-file and --table-version beside the flag of a list, which the caller declares before, without() it. A flag beats
/// a variable, and the file beats a list if both are variables. `settings` must outlive the table. `condition` is what
/// --counters-file needs.
void add_list_settings(settings::SettingTable& table, ListSettings& settings,
                       std::optional<settings::SettingTable::Condition> condition = std::nullopt);

/// Declares --counters and the settings beside it. `takes_balancers`: it may be lookup://HOST:PORT, too. `condition` is what
/// they need.
void add_counters_setting(settings::SettingTable& table, ListSettings& settings, bool takes_balancers,
                          const std::optional<settings::SettingTable::Condition>& condition = std::nullopt);

/// Keeps a list, or the balancers of `lookup://HOST:PORT,HOST:PORT`. Throws std::invalid_argument if it is neither.
bool take_list(ListSettings& settings, std::string_view text);

/// Reads the list that is given. Null if balancers give it. Throws StartupError, also if none is given.
counter::CounterListPtr read_list(const ListSettings& settings);

/// What to do on SIGHUP: read the file again and hand its list to `adopt`. A file that cannot be read is logged, and
/// changes nothing. Null if the list is in no file.
std::function<void()> list_reread(const ListSettings& settings,
                                  std::function<void(counter::CounterListPtr list)> adopt);

}  // namespace tracker::app
