#include "app/store_choice.h"

#include <utility>

#include "settings/setting_values.h"

namespace tracker::app {

using settings::SettingTable;

namespace {

std::vector<std::string> names(const std::vector<std::unique_ptr<StoreKind>>& kinds) {
  std::vector<std::string> names;
  for (const auto& kind : kinds) names.push_back(kind->name());
  return names;
}

}  // namespace

void StoreChoice::add_settings(SettingTable& table, const std::string& by_default) {
  kinds_ = store_kinds();
  parse(by_default);
  std::string help = "Where the counts are kept.";
  for (const auto& kind : kinds_)
    help += " " + kind->name() + ": " + kind->help() + (kind == kinds_.back() ? "." : ";");
  table.begin_group(SettingTable::Group::store);
  table.add(setting(help, by_default));
  for (const auto& kind : kinds_) {
    kind->add_settings(table,
                       {"--store " + kind->name(), [this, its = kind.get()] { return chosen_ == its; }},
                       StoreKind::Purpose::counting);
  }
  table.add_switch("--require-durability", require_durability_,
                   "Refuses to count, by 503, while a crash or a power cut could lose what was answered: in "
                   "a Redis without appendonly yes, appendfsync always and maxmemory-policy noeviction.");
}

void StoreChoice::add_moving_settings(SettingTable& table, const std::string& help,
                                      const SettingTable::Condition& condition) {
  kinds_ = store_kinds();
  parse(store_on_disk);
  table.begin_group(SettingTable::Group::store);
  table.add(setting(help, store_on_disk, condition));
  for (const auto& kind : kinds_) {
    kind->add_settings(table,
                       {"--store " + kind->name(),
                        [this, its = kind.get(), condition] { return condition.holds() && chosen_ == its; }},
                       StoreKind::Purpose::moving);
  }
}

void StoreChoice::add_copies_setting(SettingTable& table, const std::string& help, const std::string& others,
                                     std::optional<SettingTable::Condition> condition) {
  kinds_ = store_kinds();
  std::erase_if(kinds_, [](const auto& kind) { return kind->copies() == nullptr; });
  parse(store_on_disk);
  table.begin_group(SettingTable::Group::store);
  auto store = setting(help, store_on_disk, std::move(condition));
  store.wanted += " (" + others + ")";
  table.add(std::move(store));
}

SettingTable::Setting StoreChoice::setting(const std::string& help, const std::string& by_default,
                                           std::optional<SettingTable::Condition> condition) {
  return {.flag = "--store",
          .environment = "",
          .help = help,
          .default_text = by_default,
          .wanted = settings::alternatives(names(kinds_)),
          .parse = [this](std::string_view text) { return parse(text); },
          .value_name = "STORE",
          .condition = std::move(condition),
          .words = names(kinds_)};
}

bool StoreChoice::parse(std::string_view text) {
  for (const auto& kind : kinds_) {
    if (!kind->parse(text)) continue;
    chosen_ = kind.get();
    text_ = text;
    return true;
  }
  return false;
}

OpenStore StoreChoice::open(boost::asio::io_context& loop, std::chrono::milliseconds reply_deadline,
                            const store::TokenRules& rules, bool is_one_of_several) const {
  return chosen_->open(loop, {.require_durability = require_durability_,
                              .is_one_of_several = is_one_of_several,
                              .reply_deadline = reply_deadline,
                              .rules = rules});
}

}  // namespace tracker::app
