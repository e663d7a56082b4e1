#pragma once

#include <algorithm>
#include <chrono>

namespace tracker::runtime {

/// How often one source may log: `burst` lines at once, and after that one in each `period`. Not synchronised; the
/// time is an argument.
class LogPace {
 public:
  using Clock = std::chrono::steady_clock;

  LogPace(int burst, Clock::duration period) : period_(period), ahead_max_(period * (burst - 1)) {}

  /// Answers whether a line may be logged now, and counts it if so.
  bool take(Clock::time_point now) {
    if (now < next()) return false;
    all_quiet_ = std::max(all_quiet_, now) + period_;
    return true;
  }

  /// When the next line may be logged; in the past if it may at once.
  Clock::time_point next() const { return all_quiet_ - ahead_max_; }

 private:
  const Clock::duration period_;
  const Clock::duration ahead_max_;
  Clock::time_point all_quiet_{};  // from then on the whole burst is free again
};

}  // namespace tracker::runtime
