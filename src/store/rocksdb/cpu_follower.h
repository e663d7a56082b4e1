#pragma once

#include <sched.h>

#include <atomic>
#include <thread>

namespace tracker::store::rocksdb {

/// Keeps a thread on the CPU of the thread that gives it work, as long as that is only one. The two take turns, a
/// wake-up from one CPU to another is dear on a virtual machine, and beside a client that is busy the thread would
/// wait for its slice.
class CpuFollower {
 public:
  /// Any thread: whenever it gives work.
  void given_work() noexcept;

  /// The thread that does it.
  void follow() noexcept;

 private:
  std::atomic<std::thread::id> giver_{};
  std::atomic<bool> several_givers_ = false;
  std::atomic<int> cpu_ = -1;  // of the giver; -1: not known
  // Of the thread that follows.
  int followed_to_ = -1;  // -1: may run anywhere
  cpu_set_t anywhere_{};  // where the thread may run by itself; known if it has followed
};

}  // namespace tracker::store::rocksdb
