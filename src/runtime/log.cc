#include "runtime/log.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include "runtime/log_pace.h"
#include "runtime/log_queue.h"
#include "runtime/printable.h"
#include "runtime/utc_time.h"

namespace tracker::runtime {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t lines_max = 1024;
constexpr auto flush_longest = std::chrono::milliseconds(200);
constexpr int changes_at_once = 10;
constexpr auto pause_of_changes = std::chrono::seconds(5);
/// A bad line is not logged again within this time, unless good news came between.
constexpr auto same_change = std::chrono::seconds(1);

/// The arguments of open_log(). Never destroyed: threads may log as long as the process lives.
struct Names {
  std::string service = "tracker";
  std::string introduction;
  LogSettings settings;
  std::once_flag introduced;
};
Names& names() {
  static auto& the_names = *new Names;
  return the_names;
}

std::string json_line(std::string_view level, std::string_view line, const LogFields& fields) {
  std::string json = R"({"time":")" + utc_time(std::chrono::system_clock::now()) + R"(","level":")";
  json += level;
  json += R"(","service":)" + json_string(names().service) + R"(,"message":)" + json_string(line);
  for (const auto& [name, value] : fields) json += "," + json_string(name) + ":" + json_string(value);
  return json + "}";
}

/// What the queue itself has to say, as a line.
std::string line_of_queue(const std::string& words) {
  return names().settings.format == LogFormat::json ? json_line("warning", words, {}) : words;
}

/// Never destroyed: its thread may block in a write for ever.
LogQueue& queue() {
  static auto& the_queue = *new LogQueue(STDERR_FILENO, lines_max, line_of_queue);
  return the_queue;
}
std::atomic<bool> is_open = false;

void push(std::string_view level, std::string_view line, const LogFields& fields = {}) {
  if (names().settings.format == LogFormat::json) return queue().push(json_line(level, line, fields));
  queue().push(utc_time(std::chrono::system_clock::now()) + " " + names().service + " " + std::string(level) +
               " " + printable(line));
}

bool shows(LogLevel level) {
  return level <= names().settings.level;
}

void introduce() {
  std::call_once(names().introduced, [] {
    if (!names().introduction.empty() && shows(LogLevel::info)) push("info", names().introduction);
  });
}

std::string left_out(std::size_t count, const std::string& what) {
  return count == 0 ? "" : " (" + std::to_string(count) + " " + what + " left out before it)";
}

}  // namespace

void open_log(const std::string& service, const std::string& introduction, const LogSettings& settings) {
  names().service = service;
  names().introduction = introduction;
  names().settings = settings;
  queue().start();
  is_open = true;
}

void log_info(std::string_view line) {
  log_info(line, {});
}

void log_info(std::string_view line, const LogFields& fields) {
  if (!shows(LogLevel::info)) return;
  introduce();
  push("info", line, fields);
}

void log_warning(std::string_view line) {
  if (!shows(LogLevel::warning)) return;
  introduce();
  push("warning", line);
}

void log_end(std::string_view line) {
  introduce();
  push(names().settings.format == LogFormat::json ? "error" : "warning", line);
}

void log_failure(std::string_view line) {
  if (is_open && names().settings.format == LogFormat::json) return push("error", line);
  const auto text = "tracker: " + printable(line);
  if (is_open) return queue().push(text);
  pollfd ready{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&ready, 1, static_cast<int>(flush_longest.count())) > 0) write_all(STDERR_FILENO, text + "\n");
}

std::size_t log_lines_dropped() {
  return queue().dropped();
}

void flush_log() noexcept {
  if (is_open) queue().flush(flush_longest);
}

void exit_now(int exit_code) noexcept {
  flush_log();
  std::_Exit(exit_code);
}

struct ChangeLog::State : std::enable_shared_from_this<State> {
  using Log = void (*)(std::string_view);

  void report_good(const std::string& line) {
    const std::lock_guard lock(mutex);
    recently_bad.clear();
    report(line, log_info);
  }

  void report_bad(const std::string& line) {
    const std::lock_guard lock(mutex);
    const auto now = Clock::now();
    std::erase_if(recently_bad, [now](const auto& told) { return now - told.second > same_change; });
    const bool is_told = std::any_of(recently_bad.begin(), recently_bad.end(),
                                     [&line](const auto& told) { return told.first == line; });
    if (is_told) return;
    recently_bad.emplace_back(line, now);
    report(line, log_warning);
  }

  void report(const std::string& line, Log log) {
    if (line == last) return;
    last = line;
    log_last = log;
    if (waiting) {
      ++skipped;
    } else if (pace.take(Clock::now())) {
      log(line);
    } else {
      waiting = true;
      queue().call_at(pace.next(), [self = shared_from_this()] { self->catch_up(); });
    }
  }

  void catch_up() {
    const std::lock_guard lock(mutex);
    waiting = false;
    pace.take(Clock::now());
    log_last(last + left_out(std::exchange(skipped, 0), "changes"));
  }

  std::mutex mutex;  // protects everything below; never held for long, since log lines go into a queue
  std::string last;
  std::vector<std::pair<std::string, Clock::time_point>> recently_bad;
  Log log_last = log_info;
  LogPace pace{changes_at_once, pause_of_changes};
  bool waiting = false;     // for the pace; `last` is not logged yet
  std::size_t skipped = 0;  // changes that were left out meanwhile
};

ChangeLog::ChangeLog() : state_(std::make_shared<State>()) {}

void ChangeLog::good(const std::string& line) {
  state_->report_good(line);
}

void ChangeLog::bad(const std::string& line) {
  state_->report_bad(line);
}

struct RareLog::State {
  std::mutex mutex;  // protects everything below
  LogPace pace{changes_at_once, pause_of_changes};
  std::size_t skipped = 0;
};

RareLog::RareLog() : state_(std::make_unique<State>()) {}

RareLog::~RareLog() = default;

void RareLog::warning(std::string_view line) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->pace.take(Clock::now())) {
    ++state_->skipped;
    return;
  }
  log_warning(std::string(line) + left_out(std::exchange(state_->skipped, 0), "lines like it"));
}

}  // namespace tracker::runtime
