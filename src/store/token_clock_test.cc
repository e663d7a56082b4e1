#include "store/token_clock.h"

#include <gtest/gtest.h>

namespace tracker::store {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class TokenClockTest : public testing::Test {
 protected:
  domain::Seconds pass(seconds time, std::int64_t jump_s = 0) {
    steady_ += time;
    system_s_ = static_cast<domain::Seconds>(static_cast<std::int64_t>(system_s_) + time.count() + jump_s);
    return clock_.at(system_s_, steady_);
  }

  bool is_sure() { return clock_.is_sure(system_s_, steady_); }

  TokenClock::Steady steady_{hours(100)};
  domain::Seconds system_s_ = 1'000'000;
  TokenClock clock_{system_s_, steady_};
};

TEST_F(TokenClockTest, FollowsAClockThatGoesALittleWrong) {
  EXPECT_EQ(pass(seconds(10)), 1'000'010U);
  EXPECT_EQ(pass(seconds(10), 5), 1'000'025U);
  EXPECT_EQ(pass(seconds(10), -4), 1'000'031U);
}

TEST_F(TokenClockTest, AJumpThatIsUndoneChangesNothing) {
  pass(hours(1));
  for (const std::int64_t jump_s : {100'000'000, -500'000}) {
    const auto before = pass(seconds(1));
    EXPECT_EQ(pass(seconds(1), jump_s), before + 1);
    EXPECT_EQ(pass(minutes(59)), before + 1 + 59 * 60);
    EXPECT_EQ(pass(seconds(1), -jump_s), before + 2 + 59 * 60);
    EXPECT_EQ(pass(hours(2)), before + 2 + 59 * 60 + 7'200);
  }
}

TEST_F(TokenClockTest, AJumpThatLastsIsFollowed) {
  pass(hours(1));
  EXPECT_EQ(pass(seconds(1), 100'000), 1'003'601U);
  EXPECT_EQ(pass(hours(1)), 1'107'201U);
  EXPECT_EQ(pass(seconds(1), -200'000), 1'107'202U);
  EXPECT_EQ(pass(hours(1)), 910'802U);
}

TEST_F(TokenClockTest, AWrongClockAtTheStartIsFollowedWhenItIsPutRight) {
  EXPECT_EQ(pass(minutes(1), 100'000'000), 101'000'060U);
  EXPECT_EQ(pass(minutes(1), -100'000'000), 1'000'120U);
}

TEST_F(TokenClockTest, IsSureOnceTheClockHasGoneSteadilyForAnHour) {
  EXPECT_FALSE(is_sure());
  pass(minutes(59));
  EXPECT_FALSE(is_sure());
  pass(minutes(1));
  EXPECT_TRUE(is_sure());
  pass(seconds(1), 100'000);
  EXPECT_FALSE(is_sure());
  pass(seconds(1), -100'000);
  EXPECT_TRUE(is_sure());
}

TEST_F(TokenClockTest, AJumpBeforeItIsSureMakesItWaitAnew) {
  pass(minutes(30), -100'000);
  pass(minutes(59));
  EXPECT_FALSE(is_sure());
  pass(minutes(1));
  EXPECT_TRUE(is_sure());
}

}  // namespace tracker::store
