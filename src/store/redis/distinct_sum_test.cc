#include "store/redis/distinct_sum.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace tracker::store::redis {
namespace {

std::string field_of(int number) {
  return "/" + std::to_string(number);
}

TEST(DistinctSum, OfFieldsThatAllComeOnceTakesOnePass) {
  DistinctSum sum(1'000, 10);
  sum.begin();
  for (int i = 0; i < 1'000; ++i) sum.add(field_of(i), i);
  EXPECT_FALSE(sum.end());
  EXPECT_EQ(sum.fields(), 1'000U);
  EXPECT_EQ(sum.total(), 499'500);
}

// In a pass that was begun anew, nothing counts that came before.
TEST(DistinctSum, CountsNoFieldTwiceInHoweverManyPasses) {
  for (const std::size_t fields_max : {3, 100, 999, 5'000}) {
    SCOPED_TRACE(fields_max);
    DistinctSum sum(1'000, fields_max);
    std::size_t passes = 0;
    do {
      ++passes;
      sum.begin();
      sum.add(field_of(1), 1'000'000);
      sum.begin();
      for (int i = 0; i < 1'000; ++i) sum.add(field_of(i), i);
      for (int i = 0; i < 1'000; i += 3) sum.add(field_of(i), i);
    } while (sum.end());
    EXPECT_EQ(passes, 1'000 / fields_max + 1);
    EXPECT_EQ(sum.fields(), 1'000U);
    EXPECT_EQ(sum.total(), 499'500);
  }
}

TEST(DistinctSum, OfAFieldThatWasCountedMeanwhileTakesTheLastCount) {
  DistinctSum sum(2);
  sum.begin();
  sum.add("/a", 7);
  sum.add("/b", 1);
  sum.add("/a", 9);
  EXPECT_FALSE(sum.end());
  EXPECT_EQ(sum.fields(), 2U);
  EXPECT_EQ(sum.total(), 10);
}

TEST(DistinctSum, OfFieldsThatHaveComeMeanwhile) {
  DistinctSum sum(1);
  sum.begin();
  for (const auto* field : {"/a", "/b", "/c", "/a"}) sum.add(field, 1);
  EXPECT_FALSE(sum.end());
  EXPECT_EQ(sum.fields(), 3U);
  EXPECT_EQ(sum.total(), 3);
}

TEST(DistinctSum, DoesNotOverflow) {
  constexpr auto highest = std::numeric_limits<std::int64_t>::max();
  DistinctSum sum(2);
  sum.begin();
  sum.add("/a", highest);
  sum.add("/b", highest);
  EXPECT_FALSE(sum.end());
  EXPECT_EQ(sum.total(), highest);
}

}  // namespace
}  // namespace tracker::store::redis
