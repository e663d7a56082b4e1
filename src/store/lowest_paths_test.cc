#include "store/lowest_paths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace tracker::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LowestPaths, AreThoseThatTheQueryWantsInTheOrderOfTheirBytes) {
  LowestPaths paths({.prefix = "/a", .after = "/ab", .limit = 3});
  for (const auto* path : {"/b", "/a\xff", "/ac", "/ab", "/a", "/abc", "/ad", "/ac", "/A"})
    paths.add(path, 1);
  paths.add("/ac", 2);
  EXPECT_THAT(paths.counts(),
              ElementsAre(StoredCount{"/abc", 1}, StoredCount{"/ac", 2}, StoredCount{"/ad", 1}));
  EXPECT_TRUE(paths.left_out());
}

TEST(LowestPaths, AllThatThereAre) {
  LowestPaths paths({.limit = 2});
  for (const auto* path : {"/b", "/a", "/b", "/a", ""}) paths.add(path, 1);
  EXPECT_THAT(paths.counts(), ElementsAre(StoredCount{"/a", 1}, StoredCount{"/b", 1}));
  EXPECT_FALSE(paths.left_out());
}

TEST(LowestPaths, AreForgotten) {
  LowestPaths paths({.limit = 1});
  paths.add("/a", 1);
  paths.add("/b", 1);
  paths.clear();
  EXPECT_THAT(paths.counts(), IsEmpty());
  EXPECT_FALSE(paths.left_out());
  paths.add("/c", 1);
  EXPECT_THAT(paths.counts(), ElementsAre(StoredCount{"/c", 1}));
}

// Page after page, whatever their order and their lengths are.
TEST(LowestPaths, NoneIsMissedWhereTheyTakeTooManyBytes) {
  std::vector<StoredCount> all;
  for (int i = 1'000; i < 1'500; ++i)
    all.push_back({"/" + std::to_string(i) + std::string(i * 37 % 500, 'x'), i});
  auto shuffled = all;
  std::ranges::shuffle(shuffled, std::mt19937(1));
  for (const std::size_t bytes_max : {1, 2'000, 40'000}) {
    std::vector<StoredCount> found;
    for (bool is_more = true; is_more;) {
      LowestPaths paths({.after = found.empty() ? "" : found.back().path, .limit = 100}, bytes_max);
      for (const auto& [path, count] : shuffled) paths.add(path, count);
      const auto page = paths.counts();
      ASSERT_FALSE(page.empty());
      std::size_t bytes = 0;
      for (const auto& its : page) bytes += its.path.size();
      EXPECT_TRUE(page.size() == 1 || bytes <= bytes_max);
      EXPECT_LE(page.size(), 100U);
      found.insert(found.end(), page.begin(), page.end());
      is_more = paths.left_out();
    }
    EXPECT_EQ(found, all);
  }
}

}  // namespace
}  // namespace tracker::store
