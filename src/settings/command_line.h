#pragma once

#include <functional>
#include <list>
#include <string>
#include <vector>

#include "settings/setting_table.h"

namespace tracker::settings {

/// One command, such as `tracker serve`, and its settings.
struct Command {
  std::string name;
  std::string summary;  // one sentence
  std::string details;  // what its help says after the settings
  bool is_service;
  CLI::App& parser;
  SettingTable table;
  std::function<int()> run;  // answers the exit code
};
using Commands = std::list<Command>;

/// What --help prints, of the program and of one command. Lines of 80 columns at most.
std::string help_of(const Commands& commands);
std::string help_of(const Command& command);

/// Throws StartupError if there is no command of that name.
const Command& command_of(const Commands& commands, const std::string& name);

/// Says what is wrong with a command line whose first arguments, `before`, are no command; there may be none.
[[noreturn]] void refuse_without_command(const Commands& commands, const std::vector<std::string>& before);

/// Says what is wrong with an argument that is neither a setting of `command` nor the value of one.
[[noreturn]] void refuse_argument(const Commands& commands, const Command& command,
                                  const std::string& argument);

/// What to warn of: the environment variables that somebody misspelled. They are ignored, which is hard to
/// see.
std::vector<std::string> misspelled_variables(const Commands& commands);

}  // namespace tracker::settings
