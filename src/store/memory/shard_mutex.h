#pragma once

#include <atomic>

namespace tracker::store::memory {

/// A mutex of which one thread may hold a thousand at once. ThreadSanitizer ends a program that holds more than 64 of the
/// system's. Any thread.
class ShardMutex {
 public:
  void lock() noexcept {
    auto before = free;
    if (state_.compare_exchange_strong(before, held, std::memory_order_acquire)) return;
    // From here on it is marked as waited for, also by whoever has got it so.
    while (state_.exchange(awaited, std::memory_order_acquire) != free) state_.wait(awaited);
  }

  void unlock() noexcept {
    if (state_.exchange(free, std::memory_order_release) == awaited) state_.notify_one();
  }

 private:
  static constexpr int free = 0;
  static constexpr int held = 1;
  static constexpr int awaited = 2;
  std::atomic<int> state_ = free;
};

}  // namespace tracker::store::memory
