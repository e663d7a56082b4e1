#include "store/rocksdb/counter_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace tracker::store::rocksdb {

domain::TokenId id_of(std::uint8_t number) {
  domain::TokenId id{};
  id.bytes.fill(number);
  return id;
}

/// Puts a counter into the cache, and its token if that is not there.
CachedCounter* insert(CounterCache& cache, const CounterKey& key, std::int64_t count) {
  auto* token = cache.find_token(key.id);
  if (token == nullptr) token = cache.insert_token(key.id, {.record = {.minted_s = key.id.bytes[0]}});
  return cache.insert(key.path, *token, count);
}

TEST(CounterCache, FindsWhatWasInserted) {
  CounterCache cache(1 << 20U);
  const auto one = id_of(1);
  const auto two = id_of(2);
  EXPECT_EQ(cache.find({one, "/a"}), nullptr);
  EXPECT_EQ(cache.find_token(one), nullptr);
  insert(cache, {one, "/a"}, 7);
  insert(cache, {two, "/a"}, 8);
  EXPECT_EQ(cache.find({one, "/a"})->count, 7);
  EXPECT_EQ(cache.find({two, "/a"})->count, 8);
  EXPECT_EQ(cache.find_token(one), cache.find({one, "/a"})->token);
  EXPECT_EQ(cache.find_token(one)->record.record().minted_s, 1U);
  EXPECT_EQ(cache.find({one, "/"}), nullptr);
  EXPECT_EQ(cache.find({one, "/ab"}), nullptr);
  EXPECT_EQ(cache.find_token(id_of(3)), nullptr);
  EXPECT_EQ(cache.find({one, "/a"})->key(), std::string(16, '\1') + "/a");
}

TEST(CounterCache, WhatIsWantedStaysAndTheOthersGo) {
  CounterCache cache(100'000);
  const auto id = id_of(1);
  insert(cache, {id, "/wanted"}, 0);
  std::size_t counters_max = 0;
  for (int i = 0; i < 20'000; ++i) {
    cache.turn();
    auto* wanted = cache.find({id, "/wanted"});
    ASSERT_NE(wanted, nullptr) << i;
    ASSERT_EQ(wanted->count, i);
    ++wanted->count;
    insert(cache, {id, "/" + std::to_string(i)}, i);
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
  auto* first = insert(cache, {id, "/first"}, 1);
  for (int i = 0; i < 1000; ++i) insert(cache, {id, "/" + std::to_string(i)}, i);
  EXPECT_EQ(cache.find({id, "/first"}), first);
  EXPECT_EQ(cache.find({id, "/999"})->count, 999);
}

TEST(CounterCache, IsForgottenAfterTwoTurns) {
  CounterCache cache(4096);
  const auto id = id_of(1);
  insert(cache, {id, "/first"}, 1)->count = 5;
  const auto fill = [&] {
    for (int i = 0; i < 1000; ++i) {
      if (cache.find({id, "/" + std::to_string(i)}) == nullptr)
        insert(cache, {id, "/" + std::to_string(i)}, i);
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

// A token is younger than some of its counters, and as old as others.
TEST(CounterCache, ACounterAlwaysHasItsToken) {
  CounterCache cache(20'000);
  std::uint64_t found = 0;
  for (unsigned round = 0; round < 20'000; ++round) {
    cache.turn();
    const auto id = id_of(static_cast<std::uint8_t>(round * round % 61 + 1));
    const auto path = "/" + std::to_string(round % 7);
    if (round % 3 == 0) {
      const auto* token = cache.find_token(id);
      ASSERT_TRUE(token == nullptr || token->record.record().minted_s == id.bytes[0]);
      continue;
    }
    auto* counter = cache.find({id, path});
    found += counter != nullptr ? 1 : 0;
    if (counter == nullptr) counter = insert(cache, {id, path}, 0);
    ASSERT_EQ(counter->token->id, id);
    ASSERT_EQ(counter->token->record.record().minted_s, id.bytes[0]);
  }
  EXPECT_GT(found, 1'000U);
  EXPECT_LT(found, 13'000U);
}

TEST(CounterCache, ClearForgetsAll) {
  CounterCache cache(1 << 20U);
  const auto id = id_of(1);
  insert(cache, {id, "/a"}, 7);
  cache.clear();
  EXPECT_EQ(cache.find({id, "/a"}), nullptr);
  EXPECT_EQ(cache.counters(), 0U);
}

}  // namespace tracker::store::rocksdb
