#include "domain/rate_bounds.h"

#include <gtest/gtest.h>

#include <cstring>

namespace tracker::domain {
namespace {

using namespace std::chrono_literals;
constexpr auto now = RateBounds::Clock::time_point(1h);
constexpr std::size_t room = 1'024;

RateBounds::Key key(std::uint64_t number) {
  RateBounds::Key its{};
  std::memcpy(its.data(), &number, sizeof number);
  return its;
}

TEST(RateBounds, OneMayAskSoOftenInASecond) {
  RateBounds bounds(10, 10, room);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bounds.ask(key(1), now), 0s);
  EXPECT_EQ(bounds.ask(key(1), now), 100ms);
  EXPECT_EQ(bounds.ask(key(1), now + 40ms), 60ms) << "to be refused costs nothing";
  EXPECT_EQ(bounds.ask(key(1), now + 100ms), 0s);
  EXPECT_EQ(bounds.ask(key(1), now + 100ms), 100ms);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bounds.ask(key(1), now + 1h), 0s);
  EXPECT_EQ(bounds.ask(key(1), now + 1h), 100ms) << "a pause saves up no more";
}

TEST(RateBounds, MoreAtOnceDoesNotMakeItFaster) {
  RateBounds bounds(2, 100, room);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(bounds.ask(key(1), now), 0s);
  EXPECT_EQ(bounds.ask(key(1), now), 500ms);
  for (int i = 1; i <= 10; ++i) EXPECT_EQ(bounds.ask(key(1), now + i * 500ms), 0s);
  EXPECT_EQ(bounds.ask(key(1), now + 5s), 500ms);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(bounds.ask(key(1), now + 15s), 0s) << "10 s gave back 20";
  EXPECT_EQ(bounds.ask(key(1), now + 15s), 500ms);
}

TEST(RateBounds, LessAtOnceThanInASecondIsEven) {
  RateBounds bounds(10, 1, room);
  EXPECT_EQ(bounds.ask(key(1), now), 0s);
  EXPECT_EQ(bounds.ask(key(1), now), 100ms);
  for (int i = 1; i <= 20; ++i) EXPECT_EQ(bounds.ask(key(1), now + i * 100ms), 0s);
}

TEST(RateBounds, AClockThatGoesBackHoldsNobodyUpForLonger) {
  RateBounds bounds(1, 1, room);
  EXPECT_EQ(bounds.ask(key(1), now), 0s);
  EXPECT_EQ(bounds.ask(key(1), now - 1ms), 1001ms) << "another thread's time, read a moment before";
  EXPECT_EQ(bounds.ask(key(1), now + 1s), 0s);
}

TEST(RateBounds, NobodyIsHeldUpByOthers) {
  RateBounds bounds(1, 1, room);
  EXPECT_EQ(bounds.ask(key(0), now), 0s);
  for (std::uint64_t i = 1; i < 100 * room; ++i) EXPECT_EQ(bounds.ask(key(i), now), 0s) << i;
}

TEST(RateBounds, OneThatGoesOnIsRememberedWhateverOthersDo) {
  RateBounds bounds(10, 100, room);
  std::uint64_t others = 1;
  std::size_t taken = 0;
  for (auto time = now; time <= now + 20s; time += 10ms) {
    if (bounds.ask(key(0), time) == 0s) ++taken;
    for (int i = 0; i < 20; ++i) bounds.ask(key(others++), time);
  }
  EXPECT_GT(others, 10 * room);
  EXPECT_EQ(taken, 100 + 10 * 20U);
}

TEST(RateBounds, AnHonestOneIsNeverRefusedWhileAStrangerFillsIt) {
  RateBounds bounds(1, 5, room);
  std::uint64_t others = 1;
  for (auto time = now; time < now + 60s; time += 1s) {
    EXPECT_EQ(bounds.ask(key(0), time), 0s);
    // Each of the stranger's sources is at its bound, so all that is remembered is held against somebody.
    for (std::size_t i = 0; i < 2 * room; ++i, ++others) {
      while (bounds.ask(key(others), time) == 0s) {
      }
    }
  }
}

}  // namespace
}  // namespace tracker::domain
