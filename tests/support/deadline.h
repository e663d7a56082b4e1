#ifndef TRACKER_TESTS_SUPPORT_DEADLINE_H_
#define TRACKER_TESTS_SUPPORT_DEADLINE_H_

#include <algorithm>
#include <chrono>

namespace tracker::tests {

// How long a test waits for something that must come. It never measures speed: it only bounds a hang, because the tests
// also run under sanitizers on a busy machine.
inline constexpr std::chrono::seconds patience{20};

class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds after = patience) : end_(Clock::now() + after) {}

  bool passed() const { return Clock::now() >= end_; }

  std::chrono::milliseconds remaining() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now());
    return std::max(left, std::chrono::milliseconds{0});
  }

  // The argument for poll().
  int remaining_ms() const { return static_cast<int>(remaining().count()); }

  std::chrono::steady_clock::time_point end() const { return end_; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point end_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_DEADLINE_H_
