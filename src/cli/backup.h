#pragma once

#include <string>

#include "app/store_choice.h"
#include "settings/setting_table.h"

namespace tracker::cli {

/// The settings of `tracker backup` and of `tracker restore`.
struct BackupSettings {
  std::string path;  // of the backup
  app::StoreChoice store;
};
extern const char* const about_backup;
extern const char* const about_restore;

/// Declare the settings. `settings` must outlive the table.
void add_backup_settings(settings::SettingTable& table, BackupSettings& settings);
void add_restore_settings(settings::SettingTable& table, BackupSettings& settings);

/// Copies a store, through the process that serves it if there is one. Throws StartupError.
void backup(const BackupSettings& settings);

/// Makes a store of a backup. Throws StartupError.
void restore(const BackupSettings& settings);

}  // namespace tracker::cli
