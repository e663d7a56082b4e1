#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace tracker::runtime {

/// How long to wait before the next attempt. The wait begins with `first` and doubles after each failure, up to
/// `longest`. Each wait is drawn at random between half and all of that, so that many clients that lost the same peer
/// do not come back at the same moment.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest,
          unsigned seed = std::random_device{}())
      : first_(first), longest_(longest), next_(first), random_(seed) {}

  /// The wait before the next attempt.
  std::chrono::milliseconds next() { return next(std::uniform_real_distribution<double>()(random_)); }

  /// The same, with the random number given: from 0 up to 1.
  std::chrono::milliseconds next(double random) {
    const auto wait = next_ / 2 + std::chrono::milliseconds(
                                      static_cast<long>(random * static_cast<double>((next_ / 2).count())));
    next_ = std::min(longest_, next_ * 2);
    return wait;
  }

  /// Tells that an attempt succeeded.
  void reset() { next_ = first_; }

 private:
  const std::chrono::milliseconds first_;
  const std::chrono::milliseconds longest_;
  std::chrono::milliseconds next_;
  std::minstd_rand random_;
};

}  // namespace tracker::runtime
