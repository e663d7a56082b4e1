#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/store_kinds.h"
#include "settings/setting_table.h"

namespace tracker::app {

/// What --store is where nothing else is said and nothing else runs.
inline constexpr const char* store_on_disk = "rocksdb:./tracker-data";

/// The store that --store names, with its settings.
class StoreChoice {
 public:
  /// Declares --store and the settings of all kinds. `by_default` is what --store is where it is not given. The choice
  /// outlives the table.
  void add_settings(settings::SettingTable& table, const std::string& by_default);

  /// The same for a command that reads or moves the tokens of a store, under a condition.
  void add_moving_settings(settings::SettingTable& table, const std::string& help,
                           const settings::SettingTable::Condition& condition);

  /// Declares --store alone, for a command that works in the directory of a store: it may name only a kind that has one.
  /// `others` says what is to be done with the other kinds.
  void add_copies_setting(settings::SettingTable& table, const std::string& help,
                          const std::string& others = "what is in a Redis is copied by Redis' own means",
                          std::optional<settings::SettingTable::Condition> condition = std::nullopt);

  /// What was chosen, once the settings are read: the value of --store, and its kind.
  const std::string& text() const noexcept { return text_; }
  const StoreKind& kind() const { return *chosen_; }

  /// Opens the store for a service, as StoreKind::open() does. `is_one_of_several`: the tokens are partitioned among
  /// several counters.
  OpenStore open(boost::asio::io_context& loop, std::chrono::milliseconds reply_deadline,
                 const store::TokenRules& rules, bool is_one_of_several = false) const;

 private:
  settings::SettingTable::Setting setting(
      const std::string& help, const std::string& by_default,
      std::optional<settings::SettingTable::Condition> condition = std::nullopt);
  bool parse(std::string_view text);

  std::vector<std::unique_ptr<StoreKind>> kinds_;
  const StoreKind* chosen_ = nullptr;  // one of kinds_
  std::string text_;
  bool require_durability_ = false;
};

}  // namespace tracker::app
