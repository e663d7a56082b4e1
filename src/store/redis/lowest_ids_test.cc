#include "store/redis/lowest_ids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace tracker::store::redis {
namespace {

domain::TokenId id_of(unsigned number) {
  return {{static_cast<std::uint8_t>(number)}};
}

TEST(LowestIds, AreKeptInOrderAndOnce) {
  LowestIds ids(3, id_of(2));
  for (const unsigned number : {9U, 1U, 5U, 5U, 2U, 7U, 5U, 3U, 9U, 3U, 3U, 8U}) ids.add(id_of(number));
  EXPECT_EQ(ids.take(), (std::vector{id_of(3), id_of(5), id_of(7)}));
  EXPECT_TRUE(ids.left_out());
}

TEST(LowestIds, AllThatThereAre) {
  LowestIds ids(3, std::nullopt);
  for (const unsigned number : {3U, 0U, 2U, 2U, 0U, 3U, 3U}) ids.add(id_of(number));
  EXPECT_EQ(ids.take(), (std::vector{id_of(0), id_of(2), id_of(3)}));
  EXPECT_FALSE(ids.left_out());
}

TEST(LowestIds, AreForgotten) {
  LowestIds ids(1, std::nullopt);
  for (unsigned number = 0; number < 9; ++number) ids.add(id_of(number));
  ids.clear();
  ids.add(id_of(7));
  EXPECT_EQ(ids.take(), std::vector{id_of(7)});
  EXPECT_FALSE(ids.left_out());
}

// One pass after the other finds them all.
TEST(LowestIds, PassesFindAll) {
  std::mt19937 random(1);
  for (const std::size_t max : {1, 2, 7, 64}) {
    std::multiset<domain::TokenId> all;
    for (int i = 0; i < 200; ++i) all.insert(id_of(static_cast<unsigned>(random() % 100)));
    std::vector<domain::TokenId> found;
    while (true) {
      LowestIds ids(max, found.empty() ? std::nullopt : std::optional(found.back()));
      std::vector<domain::TokenId> mixed(all.begin(), all.end());
      std::ranges::shuffle(mixed, random);
      for (const auto& id : mixed) ids.add(id);
      const auto lowest = ids.take();
      EXPECT_LE(lowest.size(), max);
      found.insert(found.end(), lowest.begin(), lowest.end());
      if (!ids.left_out()) break;
    }
    const std::set<domain::TokenId> once(all.begin(), all.end());
    EXPECT_EQ(found, std::vector(once.begin(), once.end()));
  }
}

}  // namespace
}  // namespace tracker::store::redis
