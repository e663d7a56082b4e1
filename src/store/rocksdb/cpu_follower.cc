#include "store/rocksdb/cpu_follower.h"

namespace tracker::store::rocksdb {

void CpuFollower::given_work() noexcept {
  const auto giver = std::this_thread::get_id();
  auto first = giver_.load(std::memory_order_relaxed);
  if (first == std::thread::id()) giver_.compare_exchange_strong(first, giver);
  if (first != std::thread::id() && first != giver) several_givers_ = true;
  cpu_.store(::sched_getcpu(), std::memory_order_relaxed);
}

// A thread that cannot be moved stays where it is. Nothing depends on it.
void CpuFollower::follow() noexcept {
  if (several_givers_) {
    if (followed_to_ >= 0) static_cast<void>(::sched_setaffinity(0, sizeof anywhere_, &anywhere_));
    followed_to_ = -1;
    return;
  }
  const int cpu = cpu_;
  if (cpu < 0 || cpu == followed_to_) return;
  if (followed_to_ < 0 && ::sched_getaffinity(0, sizeof anywhere_, &anywhere_) != 0) return;
  cpu_set_t there;
  CPU_ZERO(&there);
  CPU_SET(static_cast<unsigned>(cpu), &there);
  static_cast<void>(::sched_setaffinity(0, sizeof there, &there));
  followed_to_ = cpu;
}

}  // namespace tracker::store::rocksdb
