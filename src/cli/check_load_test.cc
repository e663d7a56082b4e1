#include "cli/check_load.h"

#include <gtest/gtest.h>

namespace tracker::cli {

using Token = CheckShare::Token;

TEST(CheckLoad, IsTheExercisesByDefault) {
  const auto load = check_load(3, 4000);
  EXPECT_EQ(requests_of(load, Token::first, "/test"), 1000);
  EXPECT_EQ(requests_of(load, Token::first, "/test2"), 900);
  EXPECT_EQ(requests_of(load, Token::second, "/test"), 1100);
  EXPECT_EQ(requests_of(load, Token::invalid, "/test") + requests_of(load, Token::invalid, "/test2"), 1000);
  EXPECT_EQ(load[1].requests, 300U);
  EXPECT_EQ(load[1].envoy, 1U);
}

TEST(CheckLoad, IsScaledAndDealtOut) {
  for (const auto& share : check_load(1, 40)) {
    EXPECT_EQ(share.envoy, 0U);
    EXPECT_GE(share.requests, 2U);
    EXPECT_LE(share.requests, 6U);
  }
}

TEST(CheckLoad, CountsAreOneToNEachOnce) {
  EXPECT_EQ(judge_counts({3, 1, 2}, 3), "");
  EXPECT_EQ(judge_counts({}, 0), "");
  EXPECT_NE(judge_counts({1, 2}, 3), "");
  EXPECT_EQ(judge_counts({1, 2, 2}, 3), "2 was given out twice");
  EXPECT_EQ(judge_counts({1, 3, 4}, 3), "2 was never given out");
  EXPECT_EQ(judge_counts({2, 3, 4}, 3), "1 was never given out");
}

}  // namespace tracker::cli
