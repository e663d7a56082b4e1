// What every store must do, run over each kind of store. A new kind is one more entry in `stores`.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <iostream>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "app/store_kinds.h"
#include "domain/token.h"
#include "runtime/workers.h"
#include "store/memory/memory_store.h"
#include "store/redis/redis_store.h"
#include "store/rocksdb/rocksdb_store.h"
#include "support/blocking_store.h"
#include "support/deadline.h"
#include "support/redis_server.h"
#include "support/temporary_directory.h"

namespace tracker::store {

using domain::HitBatch;
using domain::TokenId;
using domain::Verdict;

struct StoreUnderTest {
  const char* name;
  const char* kind;  // as app::StoreKind::name() has it
  std::function<std::unique_ptr<CounterStore>()> make;
};

/// A Redis store and the loop that it needs.
class RedisStoreAndLoop final : public CounterStore {
 public:
  explicit RedisStoreAndLoop(const std::string& address)
      : store_(loop_.context(0), {redis::parse_redis_address(address)}) {
    loop_.start();
  }
  ~RedisStoreAndLoop() override { loop_.stop(); }

  void track(const HitBatch& hits, TrackReply& reply) override { store_.track(hits, reply); }
  void add_token(const TokenId& id, domain::Deadline deadline, AddReply& reply) override {
    store_.add_token(id, deadline, reply);
  }
  const ReadinessSource& readiness() const override { return store_.readiness(); }

 private:
  runtime::Workers loop_{1};
  redis::RedisStore store_;
};

std::ostream& operator<<(std::ostream& out, const StoreUnderTest& store) {
  return out << store.name;
}

/// Over a real Redis, one for all the tests of the process.
std::unique_ptr<CounterStore> connected_redis_store() {
  static const tests::RedisServer redis;
  auto store = std::make_unique<RedisStoreAndLoop>(redis.address());
  for (const tests::Deadline deadline; !store->readiness().value().is_ready() && !deadline.passed();) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return store;
}

/// A RocksDB store of its own; its directory goes with the process.
std::unique_ptr<CounterStore> rocksdb_store(rocksdb::Durability durability, std::size_t cache_bytes) {
  static std::list<tests::TemporaryDirectory> directories;
  rocksdb::RocksDbSettings settings;
  settings.directory = directories.emplace_back().path() / "store";
  settings.durability = durability;
  settings.cache_bytes = cache_bytes;
  settings.on_fatal = [](const std::string& reason) {
    std::cerr << reason << '\n';
    std::abort();
  };
  return std::make_unique<rocksdb::RocksDbStore>(settings);
}

std::vector<StoreUnderTest> stores() {
  constexpr std::size_t mebibyte = std::size_t{1} << 20U;
  return {{"memory", "memory", [] { return std::make_unique<memory::MemoryStore>(); }},
          {"redis", "redis", connected_redis_store},
          {"rocksdb", "rocksdb:DIR", [] { return rocksdb_store({}, 32 * mebibyte); }},
          {"rocksdb_interval", "rocksdb:DIR",
           [] {
             return rocksdb_store({rocksdb::Durability::Kind::interval, std::chrono::milliseconds(5)},
                                  32 * mebibyte);
           }},
          // So small that nearly every counter is read anew.
          {"rocksdb_tiny_cache", "rocksdb:DIR", [] { return rocksdb_store({}, 4096); }}};
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

  std::unique_ptr<CounterStore> store_ = GetParam().make();
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
  store_->add_token(unknown, domain::Deadline::max(), added);
  EXPECT_TRUE(added.wait());
  EXPECT_EQ(track_one(unknown, "/"), Verdict::counted(1));
}

TEST_P(StoreBehaviour, AddingAKnownTokenKeepsItsCounts) {
  const auto id = new_token();
  EXPECT_EQ(track_one(id, "/"), Verdict::counted(1));
  tests::Added added;
  store_->add_token(id, domain::Deadline::max(), added);
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

INSTANTIATE_TEST_SUITE_P(Stores, StoreBehaviour, testing::ValuesIn(stores()),
                         [](const auto& store) { return std::string(store.param.name); });

}  // namespace tracker::store
