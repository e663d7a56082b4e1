// A Redis Cluster of three masters and three replicas whose slots move under load, and a master that fails in the middle of
// it. For more slots and more failovers by hand: tests/reshardings.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "crashing/resharding.h"

namespace tracker::tests {
namespace {

using testing::IsEmpty;

TEST(ReshardingTest, SlotsGoThereAndBackUnderLoad) {
  Resharding resharding(0);
  const auto done = resharding.there_and_back(1'000, 500);
  EXPECT_THAT(done.violations, IsEmpty());
  EXPECT_EQ(done.answers.unknown, 0U);
  EXPECT_GT(done.answers.counted, 1'000U);
  std::cout << done.there.count() << " ms there, " << done.back.count() << " ms back; "
            << done.answers.to_string() << '\n';
}

// Redis 7.0 does not tell a replica that its master is moving a slot. So the promoted one knows nothing of the tokens that
// have moved already.
TEST(ReshardingTest, AMasterThatGivesASlotFailsInTheMiddle) {
  Resharding resharding(0);
  const auto failover = resharding.fail_over(7, Resharding::Dies::source);
  std::cout << failover.to_string() << '\n';
  EXPECT_EQ(failover.until_fixed.unknown, failover.tokens / 2);
  EXPECT_EQ(failover.until_fixed.counted, failover.tokens / 2);
  EXPECT_EQ(failover.after.unknown, 0U);
  EXPECT_GT(failover.after.counted, 0U);
  EXPECT_EQ(failover.tokens_lost, 0U);
  EXPECT_EQ(failover.counts_lost, 0U);
}

// The master that gives it sends clients to one that is a replica now.
TEST(ReshardingTest, AMasterThatTakesASlotFailsInTheMiddle) {
  Resharding resharding(0);
  const auto failover = resharding.fail_over(7, Resharding::Dies::target);
  std::cout << failover.to_string() << '\n';
  EXPECT_EQ(failover.until_fixed.refused, failover.tokens / 2);
  EXPECT_EQ(failover.until_fixed.counted, failover.tokens / 2);
  EXPECT_EQ(failover.after.unknown, 0U);
  EXPECT_GT(failover.after.counted, 0U);
  EXPECT_EQ(failover.tokens_lost, 0U);
  EXPECT_EQ(failover.counts_lost, 0U);
}

}  // namespace
}  // namespace tracker::tests
