#include "runtime/deadlines.h"

#include <gtest/gtest.h>

#include <vector>

namespace tracker::runtime {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Recorder : Expiring {
  explicit Recorder(std::vector<int>& expired_in_order, int its_name)
      : order(expired_in_order), name(its_name) {}
  void on_deadline(Clock::time_point /*now*/) override { order.push_back(name); }
  std::vector<int>& order;
  int name;
};

TEST(DeadlineQueue, ExpiresInOrderOfArmingAndNotEarly) {
  std::vector<int> order;
  Recorder one(order, 1);
  Recorder two(order, 2);
  Recorder three(order, 3);
  DeadlineQueue queue(seconds(10));
  const Clock::time_point start;
  queue.arm(one, start);
  queue.arm(two, start + seconds(1));
  queue.arm(three, start + seconds(2));
  queue.arm(one, start + seconds(3));  // active again

  EXPECT_EQ(queue.next(), start + seconds(11));
  queue.expire(start + seconds(11) - milliseconds(1));
  EXPECT_TRUE(order.empty());
  queue.expire(start + seconds(12));
  EXPECT_EQ(order, (std::vector<int>{2, 3}));
  EXPECT_TRUE(one.is_armed());
  EXPECT_FALSE(two.is_armed());
  queue.expire(start + seconds(13));
  EXPECT_EQ(order, (std::vector<int>{2, 3, 1}));
  EXPECT_FALSE(queue.next().has_value());
}

TEST(DeadlineQueue, WhatIsDisarmedOrDestroyedOrMovedDoesNotExpire) {
  std::vector<int> order;
  DeadlineQueue queue(seconds(1));
  DeadlineQueue longer(seconds(5));
  const Clock::time_point start;
  Recorder kept(order, 1);
  Recorder moved(order, 2);
  {
    Recorder destroyed(order, 3);
    queue.arm(destroyed, start);
    queue.arm(kept, start);
    queue.arm(moved, start);
  }
  kept.disarm();
  kept.disarm();
  longer.arm(moved, start);
  queue.expire(start + seconds(2));
  EXPECT_TRUE(order.empty());
  longer.expire(start + seconds(5));
  EXPECT_EQ(order, std::vector<int>{2});
}

TEST(DeadlineTimer, FiresForTheEarliestAndAgainForTheNext) {
  boost::asio::io_context context(1);
  std::vector<int> order;
  Recorder late(order, 2);
  Recorder early(order, 1);
  DeadlineQueue slow(milliseconds(20));
  DeadlineQueue fast(milliseconds(1));
  DeadlineTimer timer(context, [&](Clock::time_point now) {
    fast.expire(now);
    slow.expire(now);
    return slow.next();
  });
  const auto now = Clock::now();
  slow.arm(late, now);
  timer.fire_by(*slow.next());
  fast.arm(early, now);
  timer.fire_by(*fast.next());
  context.run();  // ends when no timer is waited for any more
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

}  // namespace tracker::runtime
