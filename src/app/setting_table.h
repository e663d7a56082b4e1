#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/address.h"

namespace CLI {
class App;
}

namespace tracker::app {

/// The settings of one command. A flag beats its environment variable, which beats the default; an empty
/// environment variable is as good as none. The target of a setting holds its default until read() is called.
class SettingTable {
 public:
  /// Adds its flags to `command`, which outlives it.
  explicit SettingTable(CLI::App& command) : command_(command) {}

  /// `parse` stores the value, or answers false; then `wanted` says what would be right. Where more is to be said of a
  /// value, it throws std::invalid_argument with that, to be read behind the value.
  struct Setting {
    std::string flag;         // with its hyphens
    std::string environment;  // empty: TRACKER_ and the flag's name
    std::string help;
    std::string default_text;
    std::string wanted;
    std::function<bool(std::string_view text)> parse;
    bool secret = false;  // its value is not repeated in an error
  };
  void add(Setting setting);

  void add_address(const std::string& flag, const std::string& environment, runtime::Address& target,
                   const std::string& help);
  void add_duration(const std::string& flag, std::chrono::milliseconds& target, std::chrono::milliseconds min,
                    const std::string& help);
  void add_bytes(const std::string& flag, std::size_t& target, std::size_t min, std::size_t max,
                 const std::string& help);
  void add_count(const std::string& flag, std::size_t& target, std::size_t min, std::size_t max,
                 const std::string& help);

  /// A flag without a value, off by default; its variable takes 1, true, 0 or false.
  void add_switch(const std::string& flag, bool& target, const std::string& help);

  /// What must stand on the command line without a flag. Its target is set when the command line is parsed.
  void add_argument(const std::string& name, std::string& target, const std::string& help);

  /// Sets the targets, once the command line was parsed. Throws StartupError.
  void read() const;

 private:
  struct Entry {
    Setting setting;
    std::string flag_value;
  };

  Entry& add_entry(Setting setting);

  CLI::App& command_;
  std::list<Entry> entries_;  // a list, since the command line parser keeps addresses of the values
};

}  // namespace tracker::app
