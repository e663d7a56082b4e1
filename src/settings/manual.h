#pragma once

#include <string>

#include "settings/command_line.h"

namespace tracker::settings {

/// Writes the manual pages into a directory, which is made if need be: tracker.1, and tracker-COMMAND.1 for each command.
/// `version` is such as `tracker 0.1.0`. Throws StartupError if the machine refuses it.
void write_manual(const Commands& commands, const std::string& version, const std::string& directory);

}  // namespace tracker::settings
