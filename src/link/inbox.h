#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>

namespace tracker::link {

/// What any thread may add to, and one owner takes as a whole. The owner is an event loop, which is woken by what put()
/// answers, or a thread, which waits here. `Items` is a container, or a struct of some.
template <typename Items>
class Inbox {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Any thread: adds by `fill(items)`, under the lock. Answers true if an owner that is a loop is to be woken now; only
  /// once until it has taken.
  template <typename Fill>
  bool put(Fill fill) {
    {
      const std::lock_guard lock(mutex_);
      fill(items_);
      if (told_ || (wanted_ && !wanted_(items_))) return false;
      told_ = true;
    }
    told_changed_.notify_one();  // behind the lock: who is woken would run into it
    return true;
  }

  /// The owner: takes all there is. `taken` is empty; its memory is used again.
  void take(Items& taken) {
    const std::lock_guard lock(mutex_);
    told_ = false;
    std::swap(items_, taken);
  }

  /// An owner that is a thread: waits until `wanted(items)` holds, at most until `end`. Answers whether it holds.
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
  // All protected by the mutex.
  Items items_;
  std::function<bool(const Items&)> wanted_;  // by the thread that waits; null: whatever comes
  bool told_ = false;                         // the owner knows that there is something
};

}  // namespace tracker::link
