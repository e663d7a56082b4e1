#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
    std::string value_name = "VALUE";  // FILE and PATH are completed as such
    std::optional<Condition> condition = std::nullopt;
    std::vector<std::string> words = {};  // to complete; what follows a colon is a placeholder: `rocksdb:DIR`
    std::string general_default = {};     // for readers on other machines; empty: default_text
  };
  Setting& add(Setting setting);  // returns it where it is kept

  void add_address(const std::string& flag, const std::string& environment, runtime::Address& target,
                   const std::string& help);
  /// One that may be left out: then the target stays as it is.
  void add_address(const std::string& flag, const std::string& environment,
                   std::optional<runtime::Address>& target, const std::string& help,
                   const std::string& default_text);
  /// The path of a file, by default none.
  void add_file(const std::string& flag, std::string& target, const std::string& help,
                std::optional<Condition> condition = std::nullopt);
  void add_duration(const std::string& flag, std::chrono::milliseconds& target, std::chrono::milliseconds min,
                    const std::string& help, std::optional<Condition> condition = std::nullopt);
  void add_bytes(const std::string& flag, std::size_t& target, std::size_t min, std::size_t max,
                 const std::string& help, std::optional<Condition> condition = std::nullopt);
  Setting& add_count(const std::string& flag, std::size_t& target, std::size_t min, std::size_t max,
                     const std::string& help, std::optional<Condition> condition = std::nullopt);

  /// One of these words; the first is the default. Each has what is done when it is given.
  using Choice = std::pair<std::string, std::function<void()>>;
  void add_choice(const std::string& flag, std::vector<Choice> choices, const std::string& help);

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

  /// The parts of that: each form of the command line, without the settings; what stands there without a flag; and the
  /// settings under their headings, in order.
  struct Argument {
    std::string words;  // `TO`, or `forget NAME`
    std::string help;
  };
  struct Listed {
    const char* heading;
    const Setting& setting;
    bool is_switch;
  };
  std::vector<std::string> usages() const;
  std::vector<Argument> arguments() const;
  std::vector<Listed> listed() const;

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

/// Variable, default and condition, as help shows them on this machine, or as a manual does.
enum class Readers { on_this_machine, on_any_machine };
std::string facts_of(const SettingTable::Setting& setting, Readers readers);

}  // namespace tracker::settings
