#pragma once

#include <functional>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "runtime/log.h"
#include "settings/setting_table.h"

namespace tracker::settings {

/// One command, such as `tracker serve`, and its settings.
struct Command {
  std::string name;
  std::string summary;  // one sentence
  std::string details;  // the end of its help, after the settings
  bool is_service;
  const runtime::LogSettings& log;  // once its settings have been read
  CLI::App& parser;
  SettingTable table;
  std::function<int()> run;  // returns the exit code
};
using Commands = std::list<Command>;

/// The texts of --help: of the program, and of one command. Lines have at most 80 columns.
std::string help_of(const Commands& commands);
std::string help_of(const Command& command);

/// The parts of the help of the program: what it is, its commands with a sentence about each, and how one begins.
std::string about_program();
std::vector<std::pair<std::string, std::string>> summaries(const Commands& commands);
std::string first_steps();

/// Throws StartupError if there is no command of that name.
const Command& command_of(const Commands& commands, const std::string& name);

/// Throws StartupError for a command line without a command. `before` holds its first arguments, if there are any.
[[noreturn]] void refuse_without_command(const Commands& commands, const std::vector<std::string>& before);

/// Throws StartupError for an argument that is neither a setting of `command` nor the value of one.
[[noreturn]] void refuse_argument(const Commands& commands, const Command& command,
                                  const std::string& argument);

/// A warning for each environment variable that is probably misspelt. It is ignored, which is hard to notice.
std::vector<std::string> misspelled_variables(const Commands& commands);

}  // namespace tracker::settings
