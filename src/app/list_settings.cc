#include "app/list_settings.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <utility>

#include "runtime/log.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"

namespace tracker::app {

using counter::CounterList;
using counter::CounterListPtr;
using settings::SettingTable;
using settings::StartupError;

namespace {

constexpr std::size_t version_max = 1'000'000'000'000;

constexpr const char* counters_file = "--counters-file";
constexpr std::string_view lookup_scheme = "lookup://";

/// Each may have the scheme before it, or only the first.
std::vector<runtime::Address> parse_balancers(std::string_view text) {
  std::vector<runtime::Address> balancers;
  while (true) {
    const auto end = text.find(',');
    auto part = text.substr(0, end);
    if (part.starts_with(lookup_scheme)) part.remove_prefix(lookup_scheme.size());
    const auto address = runtime::parse_address(part);
    if (!address || address->host.empty() || address->port == 0)
      throw std::invalid_argument("'" + std::string(part) +
                                  "' is no address of a balancer; write lookup://host:port");
    balancers.push_back(*address);
    if (end == text.npos) return balancers;
    text.remove_prefix(end + 1);
  }
}

CounterListPtr read_file(const std::string& file) {
  const auto flag = "--counters-file: " + settings::shown(file) + ": ";
  errno = 0;
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream.is_open() || stream.bad()) {
    throw StartupError(StartupError::refused_by_the_machine,
                       flag + std::strerror(errno) + "; name a file that this user can read");
  }
  try {
    return std::make_shared<const CounterList>(CounterList::parse_file(text));
  } catch (const std::invalid_argument& error) {
    throw StartupError(
        StartupError::bad_setting,
        flag + error.what() + "; each line is name=host:port, and the first may be `version N`");
  }
}

}  // namespace

bool take_list(ListSettings& settings, std::string_view text) {
  if (text.starts_with(lookup_scheme)) {
    settings.balancers = parse_balancers(text);
    return true;
  }
  static_cast<void>(CounterList::parse(text));
  settings.text = text;
  return true;
}

SettingTable::Condition without(const SettingTable& table, std::string other,
                                std::optional<SettingTable::Condition> condition) {
  const auto words = condition ? condition->only_with + ", and without " : "a command line without ";
  return {words + other, [&table, other = std::move(other), condition = std::move(condition)] {
            return (!condition || condition->holds()) && !table.is_on_command_line(other);
          }};
}

void add_list_settings(SettingTable& table, ListSettings& settings,
                       std::optional<SettingTable::Condition> condition) {
  table.add({counters_file, "",
             "A file with that list instead: name=host:port in each line; `version N` may be its first line. "
             "SIGHUP reads it again. It beats a list in the environment.",
             "none", "the name of a file",
             [&settings](std::string_view text) {
               settings.file = text;
               return !text.empty();
             },
             "FILE", without(table, settings.flag, std::move(condition))});
  table.add_count("--table-version", settings.version, 0, version_max,
                  "The version of that list. A changed list needs a higher one.",
                  SettingTable::Condition{"a list that is not in --counters-file", [&settings] {
                                            return !settings.text.empty() && settings.file.empty();
                                          }});
}

void add_counters_setting(SettingTable& table, ListSettings& settings, bool takes_balancers,
                          const std::optional<SettingTable::Condition>& condition) {
  std::string help = "The counters among which the tokens are partitioned.";
  std::string wanted = "a list of name=host:port";
  if (takes_balancers) {
    help += " Or lookup://host:port of a balancer, which is asked for them.";
    wanted += ", or lookup://host:port of a balancer";
  }
  table.add({"--counters", "", help, "none: it, or --counters-file, must be given", wanted,
             [&settings, takes_balancers](std::string_view text) {
               return take_list(settings, text) && (takes_balancers || settings.balancers.empty());
             },
             "ADDRESSES", without(table, counters_file, condition)});
  add_list_settings(table, settings, condition);
}

CounterListPtr read_list(const ListSettings& settings) {
  if (!settings.is_given()) {
    throw StartupError(StartupError::bad_setting,
                       settings.flag +
                           ": no counters are given; give name=host:port,name=host:port,... or "
                           "--counters-file");
  }
  if (settings.file.empty() && !settings.balancers.empty()) return nullptr;
  if (settings.file.empty())
    return std::make_shared<const CounterList>(CounterList::parse(settings.text, settings.version));
  return read_file(settings.file);
}

std::function<void()> list_reread(const ListSettings& settings,
                                  std::function<void(CounterListPtr list)> adopt) {
  if (settings.file.empty()) return nullptr;
  return [file = settings.file, adopt = std::move(adopt)] {
    try {
      auto list = read_file(file);
      runtime::log_info("SIGHUP: read --counters-file again: " + list->described());
      adopt(std::move(list));
    } catch (const StartupError& error) {
      runtime::log_warning("SIGHUP: the list stays as it was: " + std::string(error.what()));
    }
  };
}

}  // namespace tracker::app
