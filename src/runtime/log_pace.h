#pragma once

#include <algorithm>
#include <chrono>

namespace tracker::runtime {

/// Limits how often one source logs: `burst` lines at once, and then one in each `period`. Not synchronised. Time is an
/// argument.
class LogPace {
 public:
  using Clock = std::chrono::steady_clock;

  LogPace(int burst, Clock::duration period) : period_(period), ahead_max_(period * (burst - 1)) {}

  /// Returns whether a line may be logged now, and counts it if so.
  bool take(Clock::time_point now) {
    if (now < next()) return false;
    all_quiet_ = std::max(all_quiet_, now) + period_;
    return true;
  }

  /// When the next line may be logged; a time in the past means now.
  Clock::time_point next() const { return all_quiet_ - ahead_max_; }

 private:
  const Clock::duration period_;
  const Clock::duration ahead_max_;
  Clock::time_point all_quiet_{};  // from then on a whole burst is allowed again
};

}  // namespace tracker::runtime
