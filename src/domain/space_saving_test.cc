#include "domain/space_saving.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

namespace tracker::domain {
namespace {

using Entry = FrequentKeys::Entry;
using Exact = std::map<std::string, std::uint64_t>;

/// A poor hash, so that searches meet other keys.
void add(SpaceSaving& sketch, const std::string& key, int hits = 1) {
  for (int i = 0; i < hits; ++i) sketch.add(key, key.empty() ? 0 : std::hash<char>()(key.back()) * 7);
}

/// The promise of FrequentKeys.
void expect_bounds(const FrequentKeys& keys, const Exact& exact, std::size_t capacity) {
  std::uint64_t hits = 0;
  for (const auto& [key, count] : exact) hits += count;
  EXPECT_EQ(keys.hits, hits);
  EXPECT_LE(keys.entries.size(), capacity);
  EXPECT_LE(keys.others_max, hits / capacity);
  auto unlisted = exact;
  for (const auto& [key, count, error] : keys.entries) {
    const auto its = exact.find(key);
    ASSERT_NE(its, exact.end()) << key;
    EXPECT_LE(its->second, count) << key;
    EXPECT_LE(count, its->second + error) << key;
    EXPECT_LE(error, hits / capacity) << key;
    EXPECT_EQ(unlisted.erase(key), 1U) << key;
  }
  for (const auto& [key, count] : unlisted) EXPECT_LE(count, keys.others_max) << key;
}

/// Some keys are much more frequent than others.
class Stream {
 public:
  explicit Stream(unsigned seed) : random_(seed), skew_(1 + seed % 4), keys_(5 + seed % 7 * 40) {}

  void feed(SpaceSaving& sketch, Exact& exact) {
    const double drawn = std::uniform_real_distribution<>(0, 1)(random_);
    const auto key = "/" + std::to_string(static_cast<int>(std::pow(drawn, skew_) * keys_));
    add(sketch, key);
    ++exact[key];
  }

 private:
  std::mt19937 random_;
  double skew_;
  double keys_;
};

TEST(SpaceSaving, IsExactWhileThereAreFewKeys) {
  SpaceSaving sketch(3, 8);
  EXPECT_TRUE(sketch.empty());
  EXPECT_EQ(sketch.frequent().hits, 0U);
  for (const char* key : {"b", "", "b", "c", "b", "c"}) add(sketch, key);
  const auto keys = sketch.frequent();
  EXPECT_EQ(keys.entries, (std::vector<Entry>{{"", 1, 0}, {"b", 3, 0}, {"c", 2, 0}}));
  EXPECT_EQ(keys.hits, 6U);
}

TEST(SpaceSaving, ANewKeyTakesThePlaceOfTheLeastFrequentOne) {
  SpaceSaving sketch(2, 8);
  add(sketch, "a", 5);
  add(sketch, "b", 2);
  add(sketch, "c");
  const auto keys = sketch.frequent();
  EXPECT_EQ(keys.entries, (std::vector<Entry>{{"a", 5, 0}, {"c", 3, 2}}));
  EXPECT_EQ(keys.others_max, 3U);
  EXPECT_EQ(keys.hits, 8U);
}

TEST(SpaceSaving, ForgetsAll) {
  SpaceSaving sketch(2, 8);
  for (const char* key : {"a", "b", "c", "c"}) add(sketch, key);
  sketch.clear();
  EXPECT_TRUE(sketch.empty());
  add(sketch, "c");
  EXPECT_EQ(sketch.frequent().entries, (std::vector<Entry>{{"c", 1, 0}}));
  EXPECT_EQ(sketch.frequent().others_max, 0U);
}

TEST(SpaceSaving, KeysThatAreAsLongAsAllowedAreApart) {
  SpaceSaving sketch(2, 256);
  const std::string longest(256, 'x');
  add(sketch, longest);
  add(sketch, longest.substr(1));
  add(sketch, longest);
  EXPECT_EQ(sketch.frequent().entries, (std::vector<Entry>{{longest.substr(1), 1, 0}, {longest, 2, 0}}));
}

TEST(SpaceSaving, TheBoundsHold) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    const std::size_t capacity = 1 + seed % 20;
    SpaceSaving sketch(capacity, 16);
    Exact exact;
    Stream stream(seed);
    for (int i = 0; i < 2'000; ++i) {
      stream.feed(sketch, exact);
      if (i % 400 == 0) expect_bounds(sketch.frequent(), exact, capacity);
    }
    expect_bounds(sketch.frequent(), exact, capacity);
  }
}

// Also of sketches that were merged in any order, which may have seen quite different keys.
TEST(FrequentKeys, TheBoundsHoldAfterMerging) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const std::size_t capacity = 1 + seed % 20;
    Exact exact;
    std::vector<FrequentKeys> parts;
    for (int part = 0; part < 12; ++part) {
      SpaceSaving sketch(capacity, 16);
      Stream stream(seed + static_cast<unsigned>(random() % 3));
      const auto hits = random() % 1'000;
      for (std::size_t i = 0; i < hits; ++i) stream.feed(sketch, exact);
      parts.push_back(sketch.frequent());
    }
    while (parts.size() > 1) {
      std::ranges::shuffle(parts, random);
      const auto last = std::move(parts.back());
      parts.pop_back();
      parts.back().merge(last, capacity);
    }
    expect_bounds(parts.front(), exact, capacity);
  }
}

TEST(FrequentKeys, AKeyThatOneSideDoesNotListMayBeThere) {
  FrequentKeys one{.hits = 10, .others_max = 2, .entries = {{"a", 6, 1}, {"b", 4, 2}}};
  const FrequentKeys other{.hits = 8, .others_max = 1, .entries = {{"b", 5, 0}, {"c", 3, 1}}};
  one.merge(other, 3);
  EXPECT_EQ(one.hits, 18U);
  EXPECT_EQ(one.others_max, 3U);
  EXPECT_EQ(one.entries, (std::vector<Entry>{{"a", 7, 2}, {"b", 9, 2}, {"c", 5, 3}}));
  one.merge({}, 2);
  EXPECT_EQ(one.entries, (std::vector<Entry>{{"a", 7, 2}, {"b", 9, 2}}));
  EXPECT_EQ(one.others_max, 5U);
}

TEST(FrequentKeys, TheMostFrequentComeFirst) {
  const FrequentKeys keys{.hits = 20, .others_max = 2, .entries = {{"a", 3, 1}, {"b", 9, 2}, {"c", 3, 0}}};
  EXPECT_EQ(keys.top(9).entries, (std::vector<Entry>{{"b", 9, 2}, {"c", 3, 0}, {"a", 3, 1}}));
  EXPECT_EQ(keys.top(9).others_max, 2U);
  EXPECT_EQ(keys.top(1).entries, (std::vector<Entry>{{"b", 9, 2}}));
  EXPECT_EQ(keys.top(1).others_max, 3U) << "of those that were left out";
}

}  // namespace
}  // namespace tracker::domain
