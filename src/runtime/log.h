#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace tracker::runtime {

/// The program's log: lines on standard error, with the time (UTC), the service's name and the level in front. Any thread
/// may log, and none ever waits for whoever reads standard error: see LogQueue. What a line quotes is made printable.
///
/// Begins to write, before any other thread logs. In front of the first line comes `introduction`, unless that is empty:
/// a program that only says why it does not start introduces nothing. Throws std::system_error if the machine has no
/// thread for it.
void open_log(const std::string& service, const std::string& introduction);

void log_info(std::string_view line);
void log_warning(std::string_view line);

/// The one line of a program that gives up: `tracker: ` and the reason. Also where the log was never opened.
void log_failure(std::string_view line);

/// Gives what was logged a moment to be written (200 ms; 5 s where only the machine is slow): the last thing before the
/// process ends.
void flush_log() noexcept;

/// Ends the process at once, with what was logged but without destructors.
[[noreturn]] void exit_now(int exit_code) noexcept;

/// The log of something that comes and goes: a line only when it changed, however often and by however many it is
/// reported. Several who report the same trouble a moment apart, step by step, are one. When it changes too often (10 times at once, then every 5 s), changes are left out, but never the
/// last one. Any thread.
class ChangeLog {
 public:
  ChangeLog();
  void good(const std::string& line);
  void bad(const std::string& line);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with a line that is logged later
};

/// Warnings that somebody else may cause as often as they like: at most 10 at once, then one every 5 s; it says how
/// many were left out before. Any thread.
class RareLog {
 public:
  RareLog();
  ~RareLog();
  void warning(std::string_view line);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace tracker::runtime
