#include "store/rocksdb/counter_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace tracker::store::rocksdb {

domain::TokenId id_of(std::uint8_t number) {
  domain::TokenId id{};
  id.bytes.fill(number);
  return id;
}

TEST(CounterCache, FindsWhatWasInserted) {
  CounterCache cache(1 << 20U);
  const auto one = id_of(1);
  const auto two = id_of(2);
  EXPECT_EQ(cache.find({one, "/a"}), nullptr);
  cache.insert({one, "/a"}, 7);
  cache.insert({two, "/a"}, 8);
  cache.insert({one, ""}, 9);
  EXPECT_EQ(cache.find({one, "/a"})->count, 7);
  EXPECT_EQ(cache.find({two, "/a"})->count, 8);
  EXPECT_EQ(cache.find({one, ""})->count, 9);
  EXPECT_EQ(cache.find({one, "/"}), nullptr);
  EXPECT_EQ(cache.find({one, "/ab"}), nullptr);
  EXPECT_EQ(cache.find({two, ""}), nullptr);
  EXPECT_EQ(cache.find({one, "/a"})->key(), std::string(16, '\1') + "/a");
}

TEST(CounterCache, WhatIsWantedStaysAndTheOthersGo) {
  CounterCache cache(100'000);
  const auto id = id_of(1);
  cache.insert({id, "/wanted"}, 0);
  std::size_t counters_max = 0;
  for (int i = 0; i < 20'000; ++i) {
    cache.turn();
    auto* wanted = cache.find({id, "/wanted"});
    ASSERT_NE(wanted, nullptr) << i;
    ASSERT_EQ(wanted->count, i);
    ++wanted->count;
    cache.insert({id, "/" + std::to_string(i)}, i);
    counters_max = std::max(counters_max, cache.counters());
  }
  EXPECT_EQ(cache.find({id, "/0"}), nullptr);
  EXPECT_EQ(cache.find({id, "/19999"})->count, 19'999);
  EXPECT_LT(counters_max, 100'000 / 50);
  EXPECT_GT(counters_max, 500U);
}

TEST(CounterCache, NothingMovesUntilItTurns) {
  CounterCache cache(4096);
  const auto id = id_of(1);
  auto* first = cache.insert({id, "/first"}, 1);
  for (int i = 0; i < 1000; ++i) cache.insert({id, "/" + std::to_string(i)}, i);
  EXPECT_EQ(cache.find({id, "/first"}), first);
  EXPECT_EQ(cache.find({id, "/999"})->count, 999);
}

TEST(CounterCache, IsForgottenAfterTwoTurns) {
  CounterCache cache(4096);
  const auto id = id_of(1);
  cache.insert({id, "/first"}, 1)->count = 5;
  const auto fill = [&] {
    for (int i = 0; i < 1000; ++i) {
      if (cache.find({id, "/" + std::to_string(i)}) == nullptr)
        cache.insert({id, "/" + std::to_string(i)}, i);
    }
  };
  fill();
  cache.turn();
  fill();
  EXPECT_EQ(cache.find({id, "/first"})->count, 5) << "it is in the older generation";
  cache.turn();
  fill();
  cache.turn();
  EXPECT_EQ(cache.find({id, "/first"}), nullptr);
}

TEST(CounterCache, ClearForgetsAll) {
  CounterCache cache(1 << 20U);
  const auto id = id_of(1);
  cache.insert({id, "/a"}, 7);
  cache.clear();
  EXPECT_EQ(cache.find({id, "/a"}), nullptr);
  EXPECT_EQ(cache.counters(), 0U);
}

}  // namespace tracker::store::rocksdb
