#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>

namespace tracker::link {

/// A container that any thread may add to and one owner empties. The owner is an event loop, which must be woken when
/// put() returns true, or a thread, which waits in wait_until(). `Items` is a container or a struct of containers.
template <typename Items>
class Inbox {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Any thread. Calls `fill(items)` under the lock. Returns true if an owner that is an event loop must be woken now.
  /// That happens only once between two calls of take().
  template <typename Fill>
  bool put(Fill fill) {
    {
      const std::lock_guard lock(mutex_);
      fill(items_);
      if (told_ || (wanted_ && !wanted_(items_))) return false;
      told_ = true;
    }
    told_changed_.notify_one();  // after the unlock, so that the woken thread does not block on the lock
    return true;
  }

  /// Owner only. Takes everything. `taken` must be empty; its memory is reused.
  void take(Items& taken) {
    const std::lock_guard lock(mutex_);
    told_ = false;
    std::swap(items_, taken);
  }

  /// For an owner that is a thread. Waits until `wanted(items)` is true or `end` is reached. Returns whether it is
  /// true.
  template <typename Wanted>
  bool wait_until(TimePoint end, Wanted wanted) {
    std::unique_lock lock(mutex_);
    told_ = false;
    wanted_ = wanted;
    const bool is_there = told_changed_.wait_until(lock, end, [&] { return wanted(items_); });
    wanted_ = nullptr;
    return is_there;
  }

 private:
  std::mutex mutex_;
  std::condition_variable told_changed_;
  // Protected by the mutex.
  Items items_;
  std::function<bool(const Items&)> wanted_;  // what the waiting thread waits for; null: anything
  bool told_ = false;                         // the owner has been told that there is something
};

}  // namespace tracker::link
