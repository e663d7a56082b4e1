#include "runtime/repeating.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <semaphore>

namespace tracker::runtime {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;

TEST(RepeatingTest, DoesItAgainAfterThePauseThatTheStepAsksFor) {
  std::counting_semaphore<3> done(0);
  std::atomic<int> steps = 0;
  const Repeating repeating("test", 0ms, [&]() -> Repeating::Duration {
    if (++steps <= 3) done.release();
    return steps < 3 ? 0ms : 1h;
  });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(done.try_acquire_for(std::chrono::seconds(30)));
  EXPECT_EQ(steps, 3);
}

TEST(RepeatingTest, EndsInAPauseAndAfterTheStepThatRuns) {
  {
    const Repeating repeating("test", 1h, [] { return 1h; });
  }
  std::binary_semaphore begun(0);
  std::atomic<bool> is_done = false;
  {
    const Repeating repeating("test", 0ms, [&] {
      begun.release();
      is_done = true;
      return 1h;
    });
    ASSERT_TRUE(begun.try_acquire_for(std::chrono::seconds(30)));
  }
  EXPECT_TRUE(is_done);
}

}  // namespace tracker::runtime
