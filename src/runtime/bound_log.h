#pragma once

#include <chrono>
#include <mutex>
#include <optional>
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

  /// Whether met() would log now. For tests.
  bool is_new(Clock::time_point now) {
    constexpr auto quiet = std::chrono::minutes(1);
    const std::lock_guard lock(mutex_);
    const bool is_new = !last_met_ || now - *last_met_ >= quiet;
    last_met_ = now;
    return is_new;
  }

 private:
  std::mutex mutex_;
  std::optional<Clock::time_point> last_met_;  // protected by mutex_
};

}  // namespace tracker::runtime
