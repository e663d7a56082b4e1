#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tracker::runtime {

/// How a line of a log is written.
enum class LogFormat : std::uint8_t {
  text,
  json,  // an object in each line
};

/// What is logged: lines of this level and of those before it.
enum class LogLevel : std::uint8_t {
  error,  // why the process ends
  warning,
  info,
};

struct LogSettings {
  LogFormat format = LogFormat::text;
  LogLevel level = LogLevel::info;
};

/// Names and values that a line holds, as members of their own in JSON.
using LogFields = std::vector<std::pair<std::string, std::string>>;

/// The program's log: lines on standard error with the time (UTC), the service's name and the level. Any thread may
/// log, and none ever waits for whoever reads standard error (see LogQueue). Text is made printable.
///
/// Begins to write. Must be called before any other thread logs. `introduction`, unless it is empty, is logged before
/// the first line: a program that only says why it does not start writes no introduction. Throws std::system_error if
/// the machine refuses the thread.
void open_log(const std::string& service, const std::string& introduction, const LogSettings& settings = {});

void log_info(std::string_view line);
void log_info(std::string_view line, const LogFields& fields);
void log_warning(std::string_view line);

/// Logs why the process ends at once: a warning that every level shows.
void log_end(std::string_view line);

/// Logs the one line of a program that gives up: `tracker: ` and the reason. Works also if the log was never opened;
/// then it is plain text.
void log_failure(std::string_view line);

/// Gives what was logged a moment to be written (200 ms; 5 s where only the machine is slow): the last thing before the
/// process ends.
void flush_log() noexcept;

/// Flushes the log and ends the process at once, without running destructors.
[[noreturn]] void exit_now(int exit_code) noexcept;

/// How many lines were dropped since the start. Any thread.
std::size_t log_lines_dropped();

/// Logs something that is good or bad: one line when it changes, however often it is reported and by however many.
/// Several who report the same trouble a moment apart, step by step, make one line. If it changes too often (10 times at
/// once, then once in 5 s), changes are left out, but never the last one. Any thread.
class ChangeLog {
 public:
  ChangeLog();
  void good(const std::string& line);
  void bad(const std::string& line);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with a line that is logged later
};

/// Warnings that somebody else can cause as often as they like: 10 at once, then one every 5 s. A line says how many
/// were left out before it. Any thread.
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
