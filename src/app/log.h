#pragma once

#include <string>

namespace tracker::app {

/// The program's log: lines on standard error, with the time (UTC) and the level in front. Any thread.
void open_log();

void log_info(const std::string& line);
void log_warning(const std::string& line);

}  // namespace tracker::app
