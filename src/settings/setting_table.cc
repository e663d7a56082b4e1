#include "settings/setting_table.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "settings/help_text.h"
#include "settings/setting_values.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"
#include "settings/suggestion.h"

namespace tracker::settings {

namespace {

using Group = SettingTable::Group;

constexpr std::array<std::pair<Group, const char*>, 7> headings = {{{Group::addresses, "Addresses"},
                                                                    {Group::load, "Load"},
                                                                    {Group::store, "Store"},
                                                                    {Group::limits, "Limits"},
                                                                    {Group::deadlines, "Deadlines"},
                                                                    {Group::draining, "Draining"},
                                                                    {Group::process, "Process"}}};
constexpr std::size_t help_indent = 6;

std::string environment_of(const std::string& flag) {
  std::string name = "TRACKER_";
  for (char c : flag.substr(2)) name += c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return name;
}

[[noreturn]] void refuse(const std::string& line) {
  throw StartupError(StartupError::bad_setting, line);
}

/// A value that was given, and where.
struct Given {
  std::string name;  // as an error names it
  std::string value;
};

std::optional<Given> given_value(const SettingTable::Setting& setting,
                                 const std::vector<std::string>& flag_values) {
  if (flag_values.size() > 1) refuse(setting.flag + ": it is given more than once; give it once");
  if (!flag_values.empty()) return Given{setting.flag, flag_values.front()};
  const char* variable = std::getenv(setting.environment.c_str());
  if (variable == nullptr || *variable == '\0') return std::nullopt;
  return Given{setting.flag + " (from " + setting.environment + ")", variable};
}

void parse(const SettingTable::Setting& setting, const Given& given) {
  const auto value = trimmed(given.value);
  try {
    if (setting.parse(value)) return;
  } catch (const std::invalid_argument& error) {
    refuse(given.name + ": " + shown(value) + ": " + error.what());
  }
  refuse(given.name + ": " + shown(value) + " is not " + setting.wanted);
}

constexpr const char* address_wanted = "host:port, [v6]:port or :port";

bool take_address(std::string_view text, runtime::Address& target) {
  const auto address = runtime::parse_address(text);
  if (address) target = *address;
  return address.has_value();
}

std::string help_of(const SettingTable::Setting& setting, bool is_switch) {
  return "  " + setting.flag + (is_switch ? "" : " " + setting.value_name) + "\n" +
         wrapped(setting.help, help_indent) +
         wrapped("[" + facts_of(setting, Readers::on_this_machine) + "]", help_indent);
}

}  // namespace

std::string facts_of(const SettingTable::Setting& setting, Readers readers) {
  const bool is_general = readers == Readers::on_any_machine && !setting.general_default.empty();
  auto facts =
      setting.environment + "; default: " + (is_general ? setting.general_default : setting.default_text);
  if (setting.condition) facts += "; only with " + setting.condition->only_with;
  return facts;
}

SettingTable::SettingTable(CLI::App& command) : command_(command) {
  command_.allow_extras();  // main() reports them in its own words
}

SettingTable::Entry& SettingTable::add_entry(Setting setting, bool is_switch) {
  if (setting.environment.empty()) setting.environment = environment_of(setting.flag);
  return entries_.emplace_back(Entry{std::move(setting), group_, is_switch, {}});
}

SettingTable::Setting& SettingTable::add(Setting setting) {
  auto& entry = add_entry(std::move(setting), false);
  command_.add_option(entry.setting.flag, entry.flag_values)
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
  return entry.setting;
}

void SettingTable::add_choice(const std::string& flag, std::vector<Choice> choices, const std::string& help) {
  std::vector<std::string> words;
  for (const auto& [word, take] : choices) words.push_back(word);
  add({.flag = flag,
       .environment = "",
       .help = help,
       .default_text = words.front(),
       .wanted = alternatives(words),
       .parse =
           [choices = std::move(choices)](std::string_view text) {
             const auto chosen = std::ranges::find(choices, text, &Choice::first);
             if (chosen == choices.end()) return false;
             chosen->second();
             return true;
           },
       .value_name = "WORD",
       .words = words});
}

void SettingTable::add_switch(const std::string& flag, bool& target, const std::string& help,
                              std::optional<Condition> condition) {
  auto& entry = add_entry({.flag = flag,
                           .environment = "",
                           .help = help,
                           .default_text = "off",
                           .wanted = "yes, on, true, 1, no, off, false or 0",
                           .parse =
                               [&target](std::string_view text) {
                                 const auto is_on = parse_switch(text);
                                 if (is_on) target = *is_on;
                                 return is_on.has_value();
                               },
                           .condition = std::move(condition)},
                          true);
  command_.add_flag(entry.setting.flag, entry.flag_values)->take_all();
}

void SettingTable::add_address(const std::string& flag, const std::string& environment,
                               runtime::Address& target, const std::string& help) {
  add({flag, environment, help, to_string(target), address_wanted,
       [&target](std::string_view text) { return take_address(text, target); }, "ADDRESS"});
}

void SettingTable::add_address(const std::string& flag, const std::string& environment,
                               std::optional<runtime::Address>& target, const std::string& help,
                               const std::string& default_text) {
  add({flag, environment, help, default_text, address_wanted,
       [&target](std::string_view text) { return take_address(text, target.emplace()); }, "ADDRESS"});
}

void SettingTable::add_file(const std::string& flag, std::string& target, const std::string& help,
                            std::optional<Condition> condition) {
  add({flag, "", help, "none", "the path of a file",
       [&target](std::string_view text) {
         target = text;
         return !text.empty();
       },
       "FILE", std::move(condition)});
}

void SettingTable::add_duration(const std::string& flag, std::chrono::milliseconds& target,
                                std::chrono::milliseconds min, const std::string& help,
                                std::optional<Condition> condition) {
  const std::string at_least = min.count() > 0 ? ", at least " + duration_text(min) : "";
  add({flag, "", help, duration_text(target), "a duration such as 300ms, 2s, 5m, 1h or 1d" + at_least,
       [&target, min](std::string_view text) {
         const auto duration = parse_duration(text);
         if (!duration || *duration < min) return false;
         target = *duration;
         return true;
       },
       "DURATION", std::move(condition)});
}

void SettingTable::add_bytes(const std::string& flag, std::size_t& target, std::size_t min, std::size_t max,
                             const std::string& help, std::optional<Condition> condition) {
  add({flag, "", help, bytes_text(target),
       "a size from " + bytes_text(min) + " to " + bytes_text(max) + ", such as 8KiB",
       [&target, min, max](std::string_view text) {
         const auto bytes = parse_bytes(text);
         if (!bytes || *bytes < min || *bytes > max) return false;
         target = *bytes;
         return true;
       },
       "SIZE", std::move(condition)});
}

SettingTable::Setting& SettingTable::add_count(const std::string& flag, std::size_t& target, std::size_t min,
                                               std::size_t max, const std::string& help,
                                               std::optional<Condition> condition) {
  return add({flag, "", help, std::to_string(target),
              "a whole number from " + std::to_string(min) + " to " + std::to_string(max),
              [&target, min, max](std::string_view text) {
                const auto count = parse_count(text);
                if (!count || *count < min || *count > max) return false;
                target = *count;
                return true;
              },
              "COUNT", std::move(condition)});
}

void SettingTable::add_argument(const std::string& name, std::string& target, const std::string& help) {
  command_.add_option(name, target);
  arguments_.push_back({name, target, help});
}

void SettingTable::add_optional_argument(const std::string& name, std::string& target,
                                         const std::string& help) {
  command_.add_option(name, target);
  arguments_.push_back({name, target, help, true});
}

void SettingTable::add_action(const std::string& action, const std::string& name, std::string& target,
                              const std::string& help) {
  if (actions_.empty())
    command_.add_option("ACTION", given_action_)->expected(0, CLI::detail::expected_max_vector_size);
  actions_.push_back({action, {name, target, help}});
}

void SettingTable::read_action() const {
  if (given_action_.empty()) return;
  const auto& word = given_action_.front();
  const auto asked = std::ranges::find(actions_, word, &Action::word);
  const auto full = [this](const Action& action) {
    return "tracker " + command_.get_name() + " " + action.usage();
  };
  if (asked == actions_.end()) {
    std::vector<std::string> words;
    std::string all;
    for (const auto& action : actions_) {
      words.push_back(action.word);
      all += (all.empty() ? "" : " and ") + full(action);
    }
    const auto meant = nearest(word, words);
    refuse(shown(word) + ": this is not an argument of tracker " + command_.get_name() + "; " +
           (meant ? "did you mean " + full(*std::ranges::find(actions_, *meant, &Action::word)) + "?"
                  : "there is only " + all));
  }
  const auto& argument = asked->argument;
  const std::size_t wanted = argument.name.empty() ? 1 : 2;
  if (given_action_.size() < wanted || given_action_[wanted - 1].empty())
    refuse(word + ": " + argument.name + " is missing; write " + full(*asked));
  if (given_action_.size() > wanted)
    refuse(shown(given_action_[wanted]) + ": there is no argument after " + full(*asked));
  argument.target = given_action_[wanted - 1];
}

void SettingTable::read_arguments() const {
  for (const auto& argument : arguments_) {
    if (argument.is_optional) continue;
    if (argument.target.empty()) {
      refuse(argument.name + " is required; see tracker " + command_.get_name() + " --help");
    }
    if (argument.target.find("://") != std::string::npos) {
      refuse(argument.name + ": " + shown(argument.target) + " is a URL; give a directory");
    }
  }
}

void SettingTable::read() const {
  read_arguments();
  read_action();
  for (const auto& [setting, group, is_switch, flag_values] : entries_) {
    const auto given = given_value(setting, flag_values);
    if (!given) continue;
    if (setting.condition && !setting.condition->holds()) {
      if (flag_values.empty()) continue;
      refuse(setting.flag + ": it takes effect only with " + setting.condition->only_with +
             "; give that, or leave this out");
    }
    parse(setting, *given);
  }
}

bool SettingTable::is_on_command_line(std::string_view flag) const {
  return std::ranges::any_of(
      entries_, [&](const Entry& entry) { return entry.setting.flag == flag && !entry.flag_values.empty(); });
}

std::vector<std::string> SettingTable::flags() const {
  std::vector<std::string> flags;
  for (const auto& entry : entries_) flags.push_back(entry.setting.flag);
  return flags;
}

std::vector<std::string> SettingTable::variables() const {
  std::vector<std::string> variables;
  for (const auto& entry : entries_) variables.push_back(entry.setting.environment);
  return variables;
}

std::vector<std::string> SettingTable::usages() const {
  const auto command = "tracker " + command_.get_name();
  std::vector<std::string> usages{command};
  for (const auto& argument : arguments_)
    usages.front() += argument.is_optional ? " [" + argument.name + "]" : " " + argument.name;
  for (const auto& action : actions_) usages.push_back(command + " " + action.usage());
  return usages;
}

std::vector<SettingTable::Argument> SettingTable::arguments() const {
  std::vector<Argument> arguments;
  for (const auto& argument : arguments_) arguments.push_back({argument.name, argument.help});
  for (const auto& action : actions_) arguments.push_back({action.usage(), action.argument.help});
  return arguments;
}

std::vector<SettingTable::Listed> SettingTable::listed() const {
  std::vector<Listed> all;
  for (const auto& [group, heading] : headings) {
    for (const auto& entry : entries_) {
      if (entry.group == group) all.push_back({heading, entry.setting, entry.is_switch});
    }
  }
  return all;
}

std::string SettingTable::help() const {
  std::string text;
  for (const auto& usage : usages())
    text += (text.empty() ? "Usage: " : "       ") + usage + (entries_.empty() ? "\n" : " [SETTING...]\n");
  if (!arguments().empty()) text += "\nArguments:\n";
  for (const auto& argument : arguments())
    text += "  " + argument.words + "\n" + wrapped(argument.help, help_indent);
  std::string heading;
  for (const auto& [its_heading, setting, is_switch] : listed()) {
    if (heading != its_heading) text += "\n" + std::string(its_heading) + ":\n";
    heading = its_heading;
    text += help_of(setting, is_switch);
  }
  return text;
}

}  // namespace tracker::settings
