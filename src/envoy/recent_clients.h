#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "runtime/deadlines.h"

namespace tracker::envoy {

/// How many clients have sent hits lately. Not synchronised.
class RecentClients {
 public:
  /// Each client has one.
  class Mark {
    friend class RecentClients;
    std::uint32_t period_ = 0;  // in which it was seen last
  };
  static constexpr auto period = std::chrono::milliseconds(100);

  /// The client sends a hit.
  void saw(Mark& client) noexcept {
    if (std::exchange(client.period_, period_) != period_) ++seen_;
  }

  /// Those that were seen in the last period that is over. A period ends with the first call after its time.
  std::size_t count(runtime::Clock::time_point now) noexcept {
    if (now - begun_ >= period) {
      count_ = std::exchange(seen_, 0);
      begun_ = now;
      ++period_;
    }
    return count_;
  }

 private:
  std::uint32_t period_ = 1;
  runtime::Clock::time_point begun_{};
  std::size_t seen_ = 0;
  std::size_t count_ = 0;
};

}  // namespace tracker::envoy
