#pragma once

#include <string>
#include <system_error>

#include "settings/startup_error.h"

namespace tracker::cli {

/// Ends a command with this line and exit 1: the machine, or what is there, refuses it.
[[noreturn]] inline void refuse(const std::string& line) {
  throw settings::StartupError(settings::StartupError::refused_by_the_machine, line);
}

/// The words of the system for an errno.
inline std::string error_text(int error) {
  return std::generic_category().message(error);
}

}  // namespace tracker::cli
