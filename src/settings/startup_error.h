#pragma once

#include <stdexcept>
#include <string>

namespace tracker::settings {

/// Why the program does not start: one line that names the setting and the value, and says what would be right.
class StartupError : public std::runtime_error {
 public:
  static constexpr int refused_by_the_machine = 1;
  static constexpr int bad_setting = 2;

  StartupError(int exit_code, const std::string& line) : std::runtime_error(line), exit_code_(exit_code) {}

  int exit_code() const noexcept { return exit_code_; }

 private:
  int exit_code_;
};

}  // namespace tracker::settings
