#pragma once

#include <chrono>
#include <mutex>

#include "domain/token_record.h"

namespace tracker::store {

/// The time by which tokens expire. It is sure once the system's clock has gone steadily for an hour. If that clock jumps then, this
/// one follows only once that has lasted for an hour: so a clock that is wrong for a while ends no token, and brings none back.
/// Before it is sure it follows at once, because a machine often starts with a wrong clock.
class TokenClock {
 public:
  using Steady = std::chrono::steady_clock::time_point;

  TokenClock(domain::Seconds system_s, Steady steady)
      : system_s_(system_s), steady_(steady), steady_since_(steady) {}

  /// Any thread.
  domain::Seconds at(domain::Seconds system_s, Steady steady) {
    const std::lock_guard lock(mutex_);
    const auto since = std::chrono::duration_cast<std::chrono::seconds>(steady - steady_);
    const auto expected_s = system_s_ + static_cast<domain::Seconds>(since.count());
    const auto difference_s = system_s > expected_s ? system_s - expected_s : expected_s - system_s;
    const bool has_jumped = difference_s > tolerance_s;
    if (!has_jumped) jumped_ = Steady::max();
    if (has_jumped && steady - steady_since_ < patience) {
      steady_since_ = steady;
      return follow(system_s, steady);
    }
    if (has_jumped && jumped_ == Steady::max()) jumped_ = steady;
    if (has_jumped && steady - jumped_ < patience) return expected_s;
    return follow(system_s, steady);
  }

  /// Whether what is removed by this time may be removed for good. Any thread.
  bool is_sure(domain::Seconds system_s, Steady steady) {
    at(system_s, steady);
    const std::lock_guard lock(mutex_);
    return jumped_ == Steady::max() && steady - steady_since_ >= patience;
  }

 private:
  domain::Seconds follow(domain::Seconds system_s, Steady steady) {
    system_s_ = system_s;
    steady_ = steady;
    jumped_ = Steady::max();
    return system_s;
  }

  static constexpr domain::Seconds tolerance_s = 5;
  static constexpr auto patience = std::chrono::hours(1);

  std::mutex mutex_;
  domain::Seconds system_s_;  // what it was at `steady_`
  Steady steady_;
  Steady steady_since_;            // the start, or the last jump before the time was sure
  Steady jumped_ = Steady::max();  // since when the system's clock has been elsewhere
};

}  // namespace tracker::store
