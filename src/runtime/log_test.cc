#include "runtime/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "runtime/bound_log.h"
#include "support/captured_log.h"

namespace tracker::runtime {
namespace {

auto lines(const std::string& text) {
  return std::ranges::count(text, '\n');
}

TEST(LogTest, WhatALineQuotesCannotMakeAnotherLine) {
  const tests::CapturedLog log;
  log_warning("Redis says ERR x\n2026-01-01T00:00:00.000Z info all is well\x1B[2J");
  EXPECT_EQ(lines(log.text()), 1) << log.text();
  EXPECT_NE(log.text().find("Z test warning Redis says ERR x\\x0a2026"), std::string::npos) << log.text();
  EXPECT_NE(log.text().find("\\x1b[2J\n"), std::string::npos) << log.text();
}

TEST(LogTest, AChangeIsLoggedOnce) {
  const tests::CapturedLog log;
  ChangeLog changes;
  for (int i = 0; i < 3; ++i) changes.bad("it is away");
  changes.good("it is there");
  EXPECT_EQ(lines(log.text()), 2) << log.text();
}

// As two workers do that lose the same peer: each says that its connection is lost, and then that there is no other.
TEST(LogTest, StepsOfTheSameTroubleAreLoggedOnce) {
  const tests::CapturedLog log;
  ChangeLog changes;
  for (int worker = 0; worker < 2; ++worker) {
    changes.bad("it was disconnected");
    changes.bad("it is not reachable");
  }
  changes.good("it is there");
  changes.bad("it was disconnected");
  EXPECT_EQ(lines(log.text()), 4) << log.text();
}

TEST(LogTest, WhatChangesTooOftenIsLeftOutButNotTheLastChange) {
  const tests::CapturedLog log;
  ChangeLog changes;
  for (int i = 1; i <= 1'000; ++i) changes.bad("reason " + std::to_string(i));
  changes.good("it is there");
  EXPECT_EQ(lines(log.text()), 11) << log.text();
  EXPECT_NE(log.text().find(" info it is there (990 changes left out before it)\n"), std::string::npos)
      << log.text();
}

TEST(LogTest, WarningsThatSomebodyElseCausesAreRare) {
  const tests::CapturedLog log;
  RareLog rare;
  for (int i = 1; i <= 1'000; ++i) rare.warning("a message that is wrong");
  EXPECT_EQ(lines(log.text()), 10) << log.text();
}

TEST(LogTest, ABoundThatIsMetIsLoggedAgainOnlyAfterAQuietMinute) {
  BoundLog bound;
  const Clock::time_point start(std::chrono::seconds(1));
  EXPECT_TRUE(bound.is_new(start)) << "also soon after the machine has started";
  EXPECT_FALSE(bound.is_new(start + std::chrono::seconds(59)));
  EXPECT_FALSE(bound.is_new(start + std::chrono::seconds(118)));
  EXPECT_TRUE(bound.is_new(start + std::chrono::seconds(178)));
}

// The log of this program is open already, as text.
TEST(LogTest, WhyTheProcessEndsIsAWarning) {
  const tests::CapturedLog log;
  log_end("ending");
  EXPECT_TRUE(log.text().ends_with(" test warning ending\n")) << log.text();
}

}  // namespace
}  // namespace tracker::runtime
