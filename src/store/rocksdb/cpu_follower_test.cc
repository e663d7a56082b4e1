#include "store/rocksdb/cpu_follower.h"

#include <gtest/gtest.h>

#include <thread>

namespace tracker::store::rocksdb {
namespace {

cpu_set_t own_affinity() {
  cpu_set_t set;
  EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  return set;
}

// Gives work from a thread of its own, which runs on the last CPU that this process may use; answers which.
int give_work_from_another_thread(CpuFollower& follower) {
  int cpu = -1;
  std::thread([&] {
    const cpu_set_t all = own_affinity();
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(static_cast<unsigned>(i), &all)) cpu = i;
    }
    cpu_set_t last;
    CPU_ZERO(&last);
    CPU_SET(static_cast<unsigned>(cpu), &last);
    EXPECT_EQ(::sched_setaffinity(0, sizeof last, &last), 0);
    follower.given_work();
  }).join();
  return cpu;
}

TEST(CpuFollower, StaysWithTheOnlyGiver) {
  std::thread([] {
    CpuFollower follower;
    const int cpu = give_work_from_another_thread(follower);
    follower.follow();
    const cpu_set_t set = own_affinity();
    EXPECT_EQ(CPU_COUNT(&set), 1);
    EXPECT_TRUE(CPU_ISSET(static_cast<unsigned>(cpu), &set));
  }).join();
}

TEST(CpuFollower, RunsAnywhereOnceThereAreSeveral) {
  std::thread([] {
    const cpu_set_t before = own_affinity();
    CpuFollower follower;
    give_work_from_another_thread(follower);
    follower.follow();
    follower.given_work();
    follower.follow();
    const cpu_set_t after = own_affinity();
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
  }).join();
}

TEST(CpuFollower, StaysWhereItIsAsLongAsNobodyGaveWork) {
  std::thread([] {
    const cpu_set_t before = own_affinity();
    CpuFollower follower;
    follower.follow();
    const cpu_set_t after = own_affinity();
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
  }).join();
}

}  // namespace
}  // namespace tracker::store::rocksdb
