#pragma once

#include <optional>
#include <string>

#include "app/list_settings.h"
#include "app/store_choice.h"
#include "domain/slot.h"
#include "settings/setting_table.h"

namespace tracker::cli {

/// The settings of `tracker slots`.
struct SlotsSettings {
  app::ListSettings counters{.flag = "--counters"};
  std::optional<domain::Slot> slot;  // whose owner is asked for
  std::string changed_to;            // a list; empty: none was given
  bool asks = false;                 // the counters, too

  std::string forgotten;     // the name of a counter; empty: none is to be forgotten
  std::string admin_socket;  // where; empty: in the directory of the store
  app::StoreChoice store;
};

extern const char* const about_slots;

/// Declares the settings; `settings` outlives the table.
void add_slots_settings(settings::SettingTable& table, SlotsSettings& settings);

/// Prints which counter owns how many slots, which one owns the slot that was asked for, what would move, and what the
/// counters say of their slots. Or has a counter forget another one, and prints what is lost by it. Returns false if the
/// counters were asked and not every slot is settled. Throws StartupError.
bool slots(const SlotsSettings& settings);

}  // namespace tracker::cli
