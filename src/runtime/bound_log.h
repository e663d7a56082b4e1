#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "runtime/deadlines.h"
#include "runtime/log.h"

namespace tracker::runtime {

/// Logs that a bound was met: one warning, and the next one only after a minute in which it was not met. Any thread.
class BoundLog {
 public:
  void met(Clock::time_point now, const std::string& line) {
    if (is_new(now)) log_warning(line);
  }

  /// Tells that it was met, and returns whether that must be logged.
  bool is_new(Clock::time_point now) { return now - last_met_.exchange(now) >= quiet; }

 private:
  static constexpr auto quiet = std::chrono::minutes(1);
  std::atomic<Clock::time_point> last_met_ = Clock::time_point() - quiet;
};

}  // namespace tracker::runtime
