#pragma once

#include <string>

#include "settings/command_line.h"

namespace tracker::settings {

/// A script by which bash completes command lines of tracker: commands, their settings and arguments, and values where
/// there are only so many, or where they are paths.
std::string bash_completion(const Commands& commands);

}  // namespace tracker::settings
