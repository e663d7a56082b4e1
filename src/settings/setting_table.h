#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/address.h"

namespace CLI {
class App;
}

namespace tracker::settings {

/// The settings of one command. A flag beats its environment variable, which beats the default. An empty variable
/// counts as not set. White space around a value is ignored. The target of a setting has its default value until read()
/// is called.
class SettingTable {
 public:
  /// Adds its flags to `command`, which must outlive it.
  explicit SettingTable(CLI::App& command);

  /// The headings of the help, in order.
  enum class Group { addresses, load, store, limits, deadlines, draining, process };

  /// Settings that are added from now on come under this heading.
  void begin_group(Group group) { group_ = group; }

  /// What a setting needs to take effect. Without it, the flag is refused, and the variable is ignored, since commands
  /// share environment files.
  struct Condition {
    std::string only_with;        // such as `--store redis`
    std::function<bool()> holds;  // called after the settings that were added before have been read
  };

  /// `parse` stores the value and returns true. If it returns false, the error says that the value is not `wanted`. It
  /// may also throw std::invalid_argument that says what is wrong. That text must not repeat a value that may be
  /// secret.
  struct Setting {
    std::string flag;         // with its hyphens
    std::string environment;  // empty: TRACKER_ and the name of the flag
    std::string help;
    std::string default_text;
    std::string wanted;
    std::function<bool(std::string_view text)> parse;
    std::string value_name = "VALUE";
    std::optional<Condition> condition = std::nullopt;
  };
  void add(Setting setting);

  void add_address(const std::string& flag, const std::string& environment, runtime::Address& target,
                   const std::string& help);
  void add_duration(const std::string& flag, std::chrono::milliseconds& target, std::chrono::milliseconds min,
                    const std::string& help, std::optional<Condition> condition = std::nullopt);
  void add_bytes(const std::string& flag, std::size_t& target, std::size_t min, std::size_t max,
                 const std::string& help, std::optional<Condition> condition = std::nullopt);
  void add_count(const std::string& flag, std::size_t& target, std::size_t min, std::size_t max,
                 const std::string& help, std::optional<Condition> condition = std::nullopt);

  /// A flag without a value, off by default.
  void add_switch(const std::string& flag, bool& target, const std::string& help,
                  std::optional<Condition> condition = std::nullopt);

  /// A directory that must be on the command line, without a flag. Its target is set when the command line is parsed.
  void add_argument(const std::string& name, std::string& target, const std::string& help);

  /// One more argument without a flag, which may be left out: then the target stays as it is.
  void add_optional_argument(const std::string& name, std::string& target, const std::string& help);

  /// An action that the command line may ask for: the word `action`, and what it is done to, without flags. Then the target
  /// is that; with an empty `name` it is the word. It stays empty if the command line does not ask for the action. A command may
  /// have several, of which one may be asked for.
  void add_action(const std::string& action, const std::string& name, std::string& target,
                  const std::string& help);

  /// Sets the targets after the command line was parsed. Throws StartupError.
  void read() const;

  /// Returns whether the command line has this flag. Once that was parsed.
  bool is_on_command_line(std::string_view flag) const;

  std::vector<std::string> flags() const;
  std::vector<std::string> variables() const;

  /// Usage, arguments and settings, as --help prints them.
  std::string help() const;

 private:
  struct Entry {
    Setting setting;
    Group group;
    bool is_switch;
    std::vector<std::string> flag_values;  // one for each time it was given
  };
  struct ArgumentEntry {
    std::string name;
    std::string& target;
    std::string help;
    bool is_optional = false;
  };

  struct Action {
    std::string word;
    ArgumentEntry argument;

    std::string usage() const { return argument.name.empty() ? word : word + " " + argument.name; }
  };

  Entry& add_entry(Setting setting, bool is_switch);
  void read_arguments() const;
  void read_action() const;

  CLI::App& command_;
  Group group_ = Group::process;
  std::list<Entry> entries_;  // a list, since the command line parser keeps
                              // addresses of the values
  std::vector<ArgumentEntry> arguments_;
  std::vector<Action> actions_;
  std::vector<std::string> given_action_;  // the word and the argument, as far as they are there
};

}  // namespace tracker::settings
