#include "runtime/backoff.h"

#include <gtest/gtest.h>

namespace tracker::runtime {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToTheLongestAndStartsAgain) {
  Backoff backoff(milliseconds(100), milliseconds(500));
  EXPECT_EQ(backoff.next(1), milliseconds(100));
  EXPECT_EQ(backoff.next(1), milliseconds(200));
  EXPECT_EQ(backoff.next(1), milliseconds(400));
  EXPECT_EQ(backoff.next(1), milliseconds(500));
  EXPECT_EQ(backoff.next(1), milliseconds(500));
  backoff.reset();
  EXPECT_EQ(backoff.next(1), milliseconds(100));
}

TEST(Backoff, IsDrawnFromTheUpperHalf) {
  Backoff backoff(milliseconds(100), milliseconds(100));
  EXPECT_EQ(backoff.next(0), milliseconds(50));
  EXPECT_EQ(backoff.next(0.5), milliseconds(75));
}

}  // namespace tracker::runtime
