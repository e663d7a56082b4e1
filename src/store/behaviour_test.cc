// What every store must do, run over each kind of store. A new kind is one more entry in `stores`.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "app/store_kinds.h"
#include "domain/token.h"
#include "runtime/workers.h"
#include "store/memory/memory_store.h"
#include "store/redis/cluster_store.h"
#include "store/redis/redis_store.h"
#include "store/rocksdb/rocksdb_store.h"
#include "store/token_rules.h"
#include "support/blocking_store.h"
#include "support/deadline.h"
#include "support/redis_cluster.h"
#include "support/redis_server.h"
#include "support/store_and_loop.h"
#include "support/store_on_disk.h"
#include "support/temporary_directory.h"

namespace tracker::store {

using domain::HitBatch;
using domain::TokenId;
using domain::Verdict;

/// Where a test keeps a store, which it can open again.
class Place {
 public:
  std::filesystem::path directory() const { return directory_.path() / "store"; }

  /// A real Redis, which runs from the first call on.
  const tests::RedisServer& redis() {
    if (!redis_) redis_ = std::make_unique<tests::RedisServer>();
    return *redis_;
  }

  /// A real Redis Cluster, likewise, of so many masters, each with as many replicas as `replicas` says.
  tests::RedisCluster& cluster(std::size_t masters, std::size_t replicas) {
    if (!cluster_) {
      cluster_ = std::make_unique<tests::RedisCluster>(masters, masters * replicas,
                                                       tests::RedisServer::Keeps::nothing,
                                                       tests::Arguments{"--repl-diskless-sync-delay", "0"});
    }
    return *cluster_;
  }

 private:
  const tests::TemporaryDirectory directory_;
  std::unique_ptr<tests::RedisServer> redis_;
  std::unique_ptr<tests::RedisCluster> cluster_;
};

struct StoreUnderTest {
  const char* name;
  const char* kind;  // as app::StoreKind::name() has it
  std::function<std::unique_ptr<CounterStore>(Place&)> open;
};

std::ostream& operator<<(std::ostream& out, const StoreUnderTest& store) {
  return out << store.name;
}

std::unique_ptr<CounterStore> connected_redis_store(Place& place) {
  return std::make_unique<tests::StoreAndLoop<redis::RedisStore>>(
      redis::RedisSettings{.redis = redis::parse_redis_address(place.redis().address())});
}

/// Each count waits for the replicas of its master.
std::unique_ptr<CounterStore> connected_cluster_store(Place& place, std::size_t masters,
                                                      std::size_t replicas) {
  const auto node = redis::parse_redis_address(place.cluster(masters, replicas).node(0).address()).address;
  return std::make_unique<tests::StoreAndLoop<redis::ClusterStore>>(
      redis::RedisSettings{.redis = {}, .replicas = replicas}, std::vector{node});
}

constexpr std::size_t mebibyte = std::size_t{1} << 20U;

std::unique_ptr<CounterStore> rocksdb_store(const Place& place, rocksdb::Durability durability,
                                            std::size_t cache_bytes = 32 * mebibyte) {
  auto settings = tests::small_settings(place.directory(), cache_bytes);
  settings.durability = durability;
  return std::make_unique<rocksdb::RocksDbStore>(settings);
}

std::vector<StoreUnderTest> stores() {
  using rocksdb::Durability;
  return {
      {"memory", "memory", [](Place&) { return std::make_unique<memory::MemoryStore>(); }},
      {"redis", "redis", connected_redis_store},
      {"redis_cluster", "redis-cluster", [](Place& place) { return connected_cluster_store(place, 1, 0); }},
      {"redis_cluster_of_three_and_three", "redis-cluster",
       [](Place& place) { return connected_cluster_store(place, 3, 1); }},
      {"rocksdb", "rocksdb:DIR", [](Place& place) { return rocksdb_store(place, {}); }},
      {"rocksdb_interval", "rocksdb:DIR",
       [](Place& place) {
         return rocksdb_store(place, {Durability::Kind::interval, std::chrono::milliseconds(5)});
       }},
      // So small that nearly every counter is read anew.
      {"rocksdb_tiny_cache", "rocksdb:DIR", [](Place& place) { return rocksdb_store(place, {}, 4096); }}};
}

std::vector<StoreUnderTest> stores_with_records() {
  auto all = stores();
  std::erase_if(all, [](const auto& store) { return std::string_view(store.kind) == "redis-cluster"; });
  return all;
}

TEST(StoreBehaviourSuite, RunsOverEveryKindOfStore) {
  std::set<std::string> kinds;
  for (const auto& kind : app::store_kinds()) kinds.insert(kind->name());
  std::set<std::string> tested;
  for (const auto& store : stores()) tested.insert(store.kind);
  EXPECT_EQ(tested, kinds);
}

class StoreBehaviour : public testing::TestWithParam<StoreUnderTest> {
 protected:
  TokenId new_token() { return tests::new_token(*store_); }
  std::vector<Verdict> track(const HitBatch& hits) { return tests::track(*store_, hits); }
  Verdict track_one(const TokenId& id, std::string_view path) { return tests::track_one(*store_, id, path); }

  StoreFacts facts() const {
    const auto facts = store_->facts().value();
    EXPECT_TRUE(facts.has_value());
    return facts.value_or(StoreFacts{});
  }
  bool write_record(const std::string& record) { return tests::write_record(*store_, record); }
  std::optional<domain::SlotSet> find_slots() { return tests::find_slots(*store_); }

  void open_again() {
    store_.reset();
    store_ = GetParam().open(place_);
  }

  Place place_;
  std::unique_ptr<CounterStore> store_ = GetParam().open(place_);
};

TEST_P(StoreBehaviour, IsReady) {
  EXPECT_TRUE(store_->readiness().value().is_ready());
}

TEST_P(StoreBehaviour, CountsFromOneForEachTokenAndPath) {
  const auto first = new_token();
  const auto second = new_token();
  EXPECT_EQ(track_one(first, "/"), Verdict::counted(1));
  EXPECT_EQ(track_one(first, "/"), Verdict::counted(2));
  EXPECT_EQ(track_one(first, "/my/path"), Verdict::counted(1));
  EXPECT_EQ(track_one(second, "/"), Verdict::counted(1));
  EXPECT_EQ(track_one(first, "/"), Verdict::counted(3));
}

TEST_P(StoreBehaviour, RefusesUnknownTokensAndLeavesNothingBehind) {
  const auto unknown = domain::token_id(domain::random_token());
  EXPECT_EQ(track_one(unknown, "/"), Verdict::unknown_token());
  tests::Added added;
  store_->add_token(unknown, {.minted_s = store::system_seconds()}, domain::Deadline::max(), added);
  EXPECT_TRUE(added.wait());
  EXPECT_EQ(track_one(unknown, "/"), Verdict::counted(1));
}

TEST_P(StoreBehaviour, AddingAKnownTokenKeepsItsCounts) {
  const auto id = new_token();
  EXPECT_EQ(track_one(id, "/"), Verdict::counted(1));
  tests::Added added;
  store_->add_token(id, {.minted_s = store::system_seconds()}, domain::Deadline::max(), added);
  EXPECT_TRUE(added.wait());
  EXPECT_EQ(track_one(id, "/"), Verdict::counted(2));
}

TEST_P(StoreBehaviour, EqualHitsOfABatchGetSuccessiveCountsInTheirOrder) {
  const auto first = new_token();
  const auto second = new_token();
  const auto unknown = domain::token_id(domain::random_token());
  HitBatch hits;
  for (int round = 0; round < 500; ++round) {
    hits.push(first, "/a");
    hits.push(unknown, "/a");
    hits.push(second, "/a");
    hits.push(first, "/b");
  }
  for (int batch = 0; batch < 2; ++batch) {
    const auto verdicts = track(hits);
    for (int round = 0; round < 500; ++round) {
      const auto at = static_cast<std::size_t>(round) * 4;
      const auto expected = Verdict::counted(batch * 500 + round + 1);
      EXPECT_EQ(verdicts[at], expected);
      EXPECT_EQ(verdicts[at + 1], Verdict::unknown_token());
      EXPECT_EQ(verdicts[at + 2], expected);
      EXPECT_EQ(verdicts[at + 3], expected);
    }
  }
}

TEST_P(StoreBehaviour, TakesAnyPathThatIsNotEmpty) {
  const auto id = new_token();
  std::vector<std::string> paths = {"/", "a",  "token", " ",         "\n",        "\r\n",
                                    "*", "$5", "{x}",   "/\xFF\xFE", "__exists__"};
  paths.emplace_back("\0", 1);
  paths.emplace_back("/a\0b", 4);
  paths.emplace_back(8192, 'x');
  paths.emplace_back(24576, 'y');
  for (int round = 1; round <= 2; ++round) {
    for (const auto& path : paths)
      EXPECT_EQ(track_one(id, path), Verdict::counted(round)) << path.substr(0, 20);
  }
}

TEST_P(StoreBehaviour, CountsAreDistinctAndWithoutGapsWhateverComesAtOnce) {
  constexpr int threads = 4;
  constexpr int batches = 50;
  constexpr int hits_of_batch = 40;
  const auto id = new_token();
  std::mutex mutex;
  std::set<std::int64_t> counts;
  {
    std::vector<std::jthread> clients;
    for (int thread = 0; thread < threads; ++thread) {
      clients.emplace_back([&, thread] {
        std::int64_t last = 0;
        for (int batch = 0; batch < batches; ++batch) {
          HitBatch hits;
          for (int hit = 0; hit < hits_of_batch; ++hit) {
            hits.push(id, "/shared");
            hits.push(id, "/own/" + std::to_string(thread));
          }
          const auto verdicts = track(hits);
          const std::lock_guard lock(mutex);
          for (std::size_t hit = 0; hit < verdicts.size(); hit += 2) {
            EXPECT_GT(verdicts[hit].count, last);
            last = verdicts[hit].count;
            EXPECT_TRUE(counts.insert(last).second) << "given out twice: " << last;
          }
          EXPECT_EQ(verdicts.back(), Verdict::counted((batch + 1) * hits_of_batch));
        }
      });
    }
  }
  EXPECT_EQ(counts.size(), static_cast<std::size_t>(threads * batches * hits_of_batch));
  EXPECT_EQ(*counts.rbegin(), threads * batches * hits_of_batch);
}

TEST_P(StoreBehaviour, WhatIsPastItsDeadlineIsNotCounted) {
  const auto id = new_token();
  HitBatch late;
  late.push(id, "/");
  late.push(id, "/");
  late.set_deadline(std::chrono::steady_clock::now() - std::chrono::milliseconds(1));
  EXPECT_EQ(track(late), (std::vector{Verdict::not_counted(), Verdict::not_counted()}));
  EXPECT_EQ(track_one(id, "/"), Verdict::counted(1));
}

TEST_P(StoreBehaviour, ManyTokensAndPaths) {
  std::vector<TokenId> tokens;
  for (int i = 0; i < 100; ++i) tokens.push_back(new_token());
  for (int round = 1; round <= 2; ++round) {
    HitBatch hits;
    for (int path = 0; path < 50; ++path) {
      for (const auto& id : tokens) hits.push(id, "/path/" + std::to_string(path));
    }
    for (const auto& verdict : track(hits)) EXPECT_EQ(verdict, Verdict::counted(round));
  }
}

/// 64 KiB of every byte, of zeros, and of what looks like the end of a text.
std::string large_record() {
  std::string record(std::size_t{64} << 10U, '\0');
  for (std::size_t i = 0; i < record.size() / 2; ++i) record[i] = static_cast<char>(i * 7);
  record.replace(record.size() - 3, 3, "\r\n\n");
  return record;
}

/// What a store also does that may be that of one of several counters.
class StoreRecords : public StoreBehaviour {};

TEST_P(StoreRecords, ItsFactsAreKnownAndStable) {
  const auto first = facts();
  EXPECT_NE(first.id, StoreFacts::Id{});
  EXPECT_EQ(first.record, "");
  EXPECT_EQ(track_one(new_token(), "/"), Verdict::counted(1));
  EXPECT_TRUE(write_record("record"));
  EXPECT_EQ(facts(), first) << "they are not told anew after a write of the record";
  if (!first.is_lasting) return;
  for (int opened = 0; opened < 2; ++opened) {
    open_again();
    EXPECT_EQ(facts().id, first.id);
    EXPECT_EQ(facts().server_run, first.server_run);
    EXPECT_EQ(facts().record, "record");
  }
}

TEST_P(StoreRecords, TwoStoresHaveDifferentIds) {
  Place other_place;
  const auto other = GetParam().open(other_place);
  EXPECT_NE(facts().id, other->facts().value().value_or(StoreFacts{}).id);
}

TEST_P(StoreRecords, ARecordThatWasWrittenIsThereWhenItIsOpenedAgain) {
  for (const auto& record :
       {std::string("first"), large_record(), std::string(std::size_t{64} << 10U, '\0'),
        std::string(255, 'x'), std::string(510, '\0'), std::string(), std::string("\0last", 5)}) {
    EXPECT_TRUE(write_record("replaced"));
    EXPECT_TRUE(write_record(record));
    if (!facts().is_lasting) continue;
    open_again();
    EXPECT_TRUE(facts().record == record) << record.size() << " bytes, and found " << facts().record.size();
  }
}

TEST_P(StoreRecords, ARecordPastItsDeadlineIsNotWritten) {
  if (!facts().is_lasting) return;  // nobody can see it
  EXPECT_TRUE(write_record("in time"));
  tests::Written written;
  store_->write_record("late", std::chrono::steady_clock::now() - std::chrono::milliseconds(1), written);
  EXPECT_FALSE(written.wait());
  open_again();
  EXPECT_EQ(facts().record, "in time");
}

std::string record_of(int number) {
  auto record = large_record();
  record.front() = static_cast<char>(number);
  return record;
}

TEST_P(StoreRecords, RecordsAreWrittenWhileHitsAreCounted) {
  constexpr int batches = 200;
  const auto id = new_token();
  std::jthread client([&] {
    HitBatch hits;
    for (int hit = 0; hit < 20; ++hit) hits.push(id, "/" + std::to_string(hit));
    for (int batch = 1; batch <= batches; ++batch) {
      for (const auto& verdict : track(hits)) EXPECT_EQ(verdict, Verdict::counted(batch));
    }
  });
  for (int i = 0; i <= 30; ++i) EXPECT_TRUE(write_record(record_of(i)));
  client.join();
  if (facts().is_lasting) {
    open_again();
    EXPECT_TRUE(facts().record == record_of(30));
    EXPECT_EQ(track_one(id, "/0"), Verdict::counted(batches + 1));
  }
}

TEST_P(StoreRecords, FindsTheSlotsOfItsTokens) {
  EXPECT_TRUE(find_slots() == domain::SlotSet());
  EXPECT_TRUE(write_record("no token"));
  EXPECT_TRUE(find_slots() == domain::SlotSet());
  domain::SlotSet expected;
  const auto add = [&](const TokenId& id) {
    tests::Added added;
    store_->add_token(id, {.minted_s = store::system_seconds()}, domain::Deadline::max(), added);
    EXPECT_TRUE(added.wait());
    expected.set(domain::slot_of(id));
  };
  TokenId last{};
  last.bytes.fill(0xFF);
  for (const auto& id : {TokenId{}, last}) add(id);
  EXPECT_TRUE(find_slots() == expected);
  for (int i = 0; i < 200; ++i) {
    const auto id = domain::token_id(domain::random_token());
    add(id);
    HitBatch hits;
    for (int path = 0; path < i % 5; ++path) hits.push(id, "/" + std::to_string(path));
    if (!hits.empty()) track(hits);
    track_one(domain::token_id(domain::random_token()), "/");  // unknown
  }
  EXPECT_TRUE(find_slots() == expected);
  if (!facts().is_lasting) return;
  open_again();
  EXPECT_TRUE(find_slots() == expected);
}

const auto name_of = [](const auto& store) { return std::string(store.param.name); };
INSTANTIATE_TEST_SUITE_P(Stores, StoreBehaviour, testing::ValuesIn(stores()), name_of);
INSTANTIATE_TEST_SUITE_P(Stores, StoreRecords, testing::ValuesIn(stores_with_records()), name_of);

}  // namespace tracker::store
