#pragma once

#include <mutex>
#include <string>

namespace tracker::runtime {

/// The program's log: lines on standard error, with the time (UTC) and the level in front. Any thread.
void open_log();

void log_info(const std::string& line);
void log_warning(const std::string& line);

/// The log of something that comes and goes: a line only when it changed, however often and by however many
/// it is reported. Any thread.
class ChangeLog {
 public:
  void good(const std::string& line) { report(line, log_info); }
  void bad(const std::string& line) { report(line, log_warning); }

 private:
  void report(const std::string& line, void (*log)(const std::string&));

  std::mutex mutex_;
  std::string last_;  // mutex_
};

}  // namespace tracker::runtime
