#include "cli/top.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/json_answer.h"
#include "cli/screen.h"
#include "runtime/log.h"
#include "runtime/signals.h"

namespace tracker::cli {

using settings::SettingTable;
using By = TopTable::By;
using Over = TopTable::Over;
using Readers = std::vector<std::unique_ptr<AdminReader>>;
using std::chrono_literals::operator""ms;

const char* const about_top =
    "Shows the paths or the tokens that are counted most often. On a terminal it goes on until q or Ctrl-C, "
    "and elsewhere it prints them once. It asks the service that serves ./tracker-data, unless it is told "
    "which. The counts of several counters are added up.\n\n"
    "  tracker top\n"
    "  tracker top --by token --over start --limit 20 | less\n"
    "  tracker top --admin 10.0.0.1:6391,10.0.0.2:6391 --admin-key-file ./key\n\n"
    "A service counts the busiest in a bounded memory. So a count may be too high, by no more than is said "
    "beside it, and never too low. On the terminal, p shows paths, t tokens, m sorts by the last minute, and "
    "s "
    "by what was counted since the start.\n\n"
    "It exits with 0, with 1 if a service cannot be asked, and with 2 if a setting is wrong.";

namespace {

constexpr std::size_t limit_without_terminal = 10;

TopTable ask(const Readers& readers, By by) {
  TopTable table(by);
  for (const auto& reader : readers) table.add(body_of(*reader, reader->get(TopTable::target(by))));
  return table;
}

void print_once(const Readers& readers, const TopSettings& settings) {
  const auto table = ask(readers, settings.by);
  const auto limit = settings.limit == 0 ? limit_without_terminal : settings.limit;
  if (settings.as_json) {
    std::printf("%s\n", boost::json::serialize(table.to_json(limit)).c_str());
  } else {
    for (const auto& line : table.lines(settings.over, limit, std::numeric_limits<std::size_t>::max()))
      std::printf("%s\n", line.c_str());
    std::printf("%s\n", table.summary().c_str());
  }
  std::fflush(stdout);
}

std::string names_of(const Readers& readers) {
  std::string names;
  for (const auto& reader : readers) names += (names.empty() ? "" : ", ") + reader->name();
  return names;
}

/// As many lines as the screen has, and at most `limit` keys, if it is not 0.
std::vector<std::string> picture(const TopTable& table, Over over, std::size_t limit,
                                 const std::string& names, Screen::Size size) {
  constexpr std::size_t other_lines = 5;
  const std::size_t fit = size.lines - std::min(size.lines, other_lines);
  std::vector<std::string> lines{"tracker top, " + names, table.summary(), ""};
  for (auto& line : table.lines(over, limit == 0 ? fit : std::min(fit, limit), size.columns))
    lines.push_back(std::move(line));
  lines.emplace_back("q ends   p paths   t tokens   m by the last minute   s by the time since the start");
  for (auto& line : lines) line = cut(line, size.columns);
  if (lines.size() > size.lines) lines.resize(size.lines);
  return lines;
}

/// Until q.
void show(const Readers& readers, const TopSettings& settings) {
  const auto names = names_of(readers);
  auto by = settings.by;
  auto over = settings.over;
  Screen screen;
  // It ends at once, also while a service does not answer.
  const runtime::SignalHandlers at_signal({.drain =
                                               [&screen] {
                                                 screen.restore();
                                                 runtime::exit_now(EXIT_SUCCESS);
                                               },
                                           .reread = nullptr},
                                          1'000ms);
  while (true) {
    screen.draw(picture(ask(readers, by), over, settings.limit, names, screen.size()));
    switch (screen.wait_for_key(settings.interval).value_or(0)) {
      case 'q':
        return;
      case 'p':
        by = By::path;
        break;
      case 't':
        by = By::token;
        break;
      case 'm':
        over = Over::last_minute;
        break;
      case 's':
        over = Over::since_start;
        break;
      default:
        break;
    }
  }
}

}  // namespace

void add_top_settings(SettingTable& table, TopSettings& settings) {
  add_admin_door_settings(table, settings.doors);
  table.begin_group(SettingTable::Group::process);
  table.add_choice("--by",
                   {{"path", [&settings] { settings.by = By::path; }},
                    {"token", [&settings] { settings.by = By::token; }}},
                   "What is shown: paths, or tokens by their ids.");
  table.add_choice("--over",
                   {{"minute", [&settings] { settings.over = Over::last_minute; }},
                    {"start", [&settings] { settings.over = Over::since_start; }}},
                   "Which are the busiest: those of the last minute, or those since the start.");
  table.add_count("--limit", settings.limit, 1, 10'000, "How many are shown at most.").default_text =
      "10; on a terminal as many as fit";
  table.add_duration("--interval", settings.interval, 100ms, "How often a terminal shows them anew.",
                     SettingTable::Condition{"no --json", [&settings] { return !settings.as_json; }});
  table.add_switch("--json", settings.as_json, "Prints one JSON object, once.");
}

void top(const TopSettings& settings) {
  const auto readers = open_admin_readers(settings.doors);
  if (settings.as_json || !Screen::is_there()) {
    print_once(readers, settings);
  } else {
    show(readers, settings);
  }
}

}  // namespace tracker::cli
