#include "settings/command_line.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "settings/help_text.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"
#include "settings/suggestion.h"

namespace tracker::settings {

namespace {

constexpr const char* about =
    "tracker hands out tokens. For each HTTP request that carries one, it answers how many times that token "
    "has asked for that path.";

constexpr const char* steps =
    "  tracker serve                                        start it\n"
    "  curl localhost:6380/auth                             get a token\n"
    "  curl -H 'Authorization: TOKEN' localhost:6380/any    have a request counted";

[[noreturn]] void refuse(const std::string& line) {
  throw StartupError(StartupError::bad_setting, line);
}

template <typename List, typename Value>
bool contains(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string meant_or(const std::optional<std::string>& meant, const std::string& otherwise) {
  return meant ? "did you mean " + *meant + "?" : otherwise;
}

[[noreturn]] void refuse_command(const Commands& commands, const std::string& name) {
  std::vector<std::string> names{"help", "version", "completion", "manual"};
  for (const auto& command : commands) names.push_back(command.name);
  refuse(shown(name) + ": there is no such command; " +
         meant_or(nearest(name, names), "tracker help lists all commands"));
}

/// The commands that have a setting, for a sentence.
std::string commands_with(const Commands& commands, const std::string& flag) {
  std::string names;
  for (const auto& command : commands) {
    if (contains(command.table.flags(), flag))
      names += (names.empty() ? "tracker " : ", tracker ") + command.name;
  }
  return names;
}

/// The name at the beginning of an argument, with its hyphens. What follows may be a password.
std::string name_in(const std::string& argument) {
  const auto end = std::find_if_not(argument.begin(), argument.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
  return {argument.begin(), end};
}

std::string with_two_hyphens(const std::string& name) {
  return "--" + name.substr(std::min(name.find_first_not_of('-'), name.size()));
}

}  // namespace

std::string about_program() {
  return about;
}

std::string first_steps() {
  return steps;
}

std::vector<std::pair<std::string, std::string>> summaries(const Commands& commands) {
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& command : commands) all.emplace_back(command.name, command.summary);
  all.emplace_back("help [COMMAND]", "Prints this help, or the help of a command. So does --help.");
  all.emplace_back("version", "Prints the version and the commit. So do -V and --version.");
  all.emplace_back("completion bash", "Prints a script that completes command lines in bash.");
  all.emplace_back("manual DIR", "Writes the manual pages into a directory.");
  return all;
}

std::string help_of(const Commands& commands) {
  auto text = wrapped(about) + "\nUsage: tracker COMMAND [SETTING...]\n\nCommands:\n";
  for (auto [words, summary] : summaries(commands)) {
    words.resize(16, ' ');
    text += "  " + words + summary + "\n";
  }
  return text + "\n" + wrapped(steps);
}

std::string help_of(const Command& command) {
  return wrapped(command.summary) + "\n" + command.table.help() + "\n" + wrapped(command.details);
}

const Command& command_of(const Commands& commands, const std::string& name) {
  for (const auto& command : commands) {
    if (command.name == name) return command;
  }
  refuse_command(commands, name);
}

void refuse_without_command(const Commands& commands, const std::vector<std::string>& before) {
  if (before.empty()) refuse("a command is missing, such as tracker serve; tracker help lists all");
  if (!before.front().starts_with('-')) refuse_command(commands, before.front());
  refuse(name_in(before.front()) +
         ": there is no such setting of tracker itself; a command comes first, then its settings, as in "
         "tracker serve --threads 2");
}

void refuse_argument(const Commands& commands, const Command& command, const std::string& argument) {
  const auto name = name_in(argument);
  const auto complaint = argument.starts_with('-')
                             ? name + ": there is no such setting of tracker "
                             : shown(argument) + ": this is not an argument of tracker ";
  const auto others = commands_with(commands, name);
  if (!others.empty()) refuse(complaint + command.name + "; it is one of " + others);
  const auto known = command.table.flags();
  auto meant = nearest(with_two_hyphens(name), known);
  if (!meant) meant = completed(with_two_hyphens(name), known);
  refuse(complaint + command.name + "; " + meant_or(meant, "tracker help " + command.name + " lists all"));
}

std::vector<std::string> misspelled_variables(const Commands& commands) {
  const std::string prefix = "TRACKER_";
  std::vector<std::string> known;
  for (const auto& command : commands) {
    for (auto& variable : command.table.variables()) known.push_back(std::move(variable));
  }
  std::vector<std::string> warnings;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string entry = *variable;
    const auto name = entry.substr(0, entry.find('='));
    if (contains(known, name)) continue;
    auto meant = nearest(name, known);
    // Some variables, such as REDIS_ADDR, have no prefix.
    if (!meant && name.starts_with(prefix)) meant = nearest(name.substr(prefix.size()), known);
    if (!meant || !(name.starts_with(prefix) || meant->starts_with(prefix))) continue;
    warnings.push_back(name + ": there is no such variable; it is ignored; did you mean " + *meant + "?");
  }
  return warnings;
}

}  // namespace tracker::settings
