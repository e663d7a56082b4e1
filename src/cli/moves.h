#pragma once

#include <optional>
#include <string>

#include "app/store_choice.h"
#include "settings/setting_table.h"
#include "transfer/moves.h"

namespace tracker::cli {

/// The settings of `tracker export`.
struct ExportSettings {
  std::string file;  // to write; with `unholds` the export, with `drops` the receipt
  app::StoreChoice store;
  std::string admin_socket;  // empty: none
  std::optional<domain::SlotSet> slots;
  std::optional<std::string> lost_to;  // empty: of each counter that has lost slots, into a file of its own
  bool hold = false;
  bool unholds = false;
  bool not_imported = false;
  bool drops = false;
  bool accept_loss = false;
};
extern const char* const about_export;

/// The settings of `tracker import`.
struct ImportSettings {
  std::string file;
  app::StoreChoice store;
  std::string admin_socket;  // empty: none
  std::string receipt;       // empty: beside the file
  transfer::ImportRequest request;
};
extern const char* const about_import;

/// Declare the settings. `settings` must outlive the table.
void add_export_settings(settings::SettingTable& table, ExportSettings& settings);
void add_import_settings(settings::SettingTable& table, ImportSettings& settings);

/// Writes the tokens of a store into a file, or ends such a move at the source. Throws StartupError.
void export_tokens(const ExportSettings& settings);

/// Adds the tokens of a file to a store. Throws StartupError.
void import_tokens(const ImportSettings& settings);

}  // namespace tracker::cli
