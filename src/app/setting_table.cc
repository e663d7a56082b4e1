#include "app/setting_table.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <stdexcept>

#include "app/setting_values.h"
#include "app/startup_error.h"

namespace tracker::app {

namespace {

std::string environment_of(const std::string& flag) {
  std::string name = "TRACKER_";
  for (char c : flag.substr(2)) name += c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return name;
}

}  // namespace

SettingTable::Entry& SettingTable::add_entry(Setting setting) {
  if (setting.environment.empty()) setting.environment = environment_of(setting.flag);
  setting.help += "\n[" + setting.environment + "; default: " + setting.default_text + "]";
  return entries_.emplace_back(Entry{std::move(setting), ""});
}

void SettingTable::add(Setting setting) {
  auto& entry = add_entry(std::move(setting));
  command_.add_option(entry.setting.flag, entry.flag_value, entry.setting.help)->type_name("");
}

void SettingTable::add_switch(const std::string& flag, bool& target, const std::string& help) {
  auto& entry = add_entry({flag, "", help, "off", "1, true, 0 or false", [&target](std::string_view text) {
                             target = text == "1" || text == "true";
                             return target || text == "0" || text == "false";
                           }});
  command_.add_flag(entry.setting.flag, entry.flag_value, entry.setting.help);
}

void SettingTable::add_address(const std::string& flag, const std::string& environment,
                               runtime::Address& target, const std::string& help) {
  add({flag, environment, help, to_string(target), "host:port, [v6]:port or :port",
       [&target](std::string_view text) {
         const auto address = runtime::parse_address(text);
         if (address) target = *address;
         return address.has_value();
       }});
}

void SettingTable::add_duration(const std::string& flag, std::chrono::milliseconds& target,
                                std::chrono::milliseconds min, const std::string& help) {
  const std::string at_least = min.count() > 0 ? ", at least " + duration_text(min) : "";
  add({flag, "", help, duration_text(target), "a duration such as 300ms, 2s or 5m" + at_least,
       [&target, min](std::string_view text) {
         const auto duration = parse_duration(text);
         if (!duration || *duration < min) return false;
         target = *duration;
         return true;
       }});
}

void SettingTable::add_bytes(const std::string& flag, std::size_t& target, std::size_t min, std::size_t max,
                             const std::string& help) {
  add({flag, "", help, bytes_text(target),
       "a size from " + bytes_text(min) + " to " + bytes_text(max) + ", such as 8KiB",
       [&target, min, max](std::string_view text) {
         const auto bytes = parse_bytes(text);
         if (!bytes || *bytes < min || *bytes > max) return false;
         target = *bytes;
         return true;
       }});
}

void SettingTable::add_count(const std::string& flag, std::size_t& target, std::size_t min, std::size_t max,
                             const std::string& help) {
  add({flag, "", help, std::to_string(target),
       "a whole number from " + std::to_string(min) + " to " + std::to_string(max),
       [&target, min, max](std::string_view text) {
         const auto count = parse_count(text);
         if (!count || *count < min || *count > max) return false;
         target = *count;
         return true;
       }});
}

void SettingTable::add_argument(const std::string& name, std::string& target, const std::string& help) {
  command_.add_option(name, target, help)->required()->type_name("");
}

void SettingTable::read() const {
  for (const auto& [setting, flag_value] : entries_) {
    const char* environment_value = std::getenv(setting.environment.c_str());
    const bool from_flag = command_.count(setting.flag) > 0;
    const bool from_environment = !from_flag && environment_value != nullptr && *environment_value != '\0';
    if (!from_flag && !from_environment) continue;
    const std::string value = from_flag ? flag_value : environment_value;
    std::string what_is_wrong = "is not " + setting.wanted;
    try {
      if (setting.parse(value)) continue;
    } catch (const std::invalid_argument& error) {
      what_is_wrong = error.what();
    }
    const std::string name = from_flag ? setting.flag : setting.flag + " (from " + setting.environment + ")";
    const std::string shown =
        setting.secret && value.find('@') != value.npos ? "the value" : "\"" + value + "\"";
    throw StartupError(StartupError::bad_setting, name + ": " + shown + " " + what_is_wrong);
  }
}

}  // namespace tracker::app
