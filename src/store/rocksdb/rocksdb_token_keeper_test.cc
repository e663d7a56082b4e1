#include "store/rocksdb/rocksdb_token_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "store/rocksdb/rocksdb_store.h"
#include "support/blocking_store.h"
#include "support/store_on_disk.h"
#include "support/temporary_directory.h"

namespace tracker::store::rocksdb {

namespace {

using domain::TokenId;
using domain::TokenRecord;
using domain::Verdict;
using tests::track_one;

class RocksDbTokenKeeperTest : public testing::Test {
 protected:
  RocksDbSettings settings() {
    auto settings = tests::small_settings(directory_.path() / "store");
    settings.rules.now_s = [this] { return now_s_.load(); };
    settings.rules.paths_max = 3;
    settings.rules.path_bytes_max = 100;
    return settings;
  }
  void open() {
    store_.reset();
    store_ = std::make_unique<RocksDbStore>(settings());
    keeper_ = store_->keeper();
  }
  TokenId add(const TokenRecord& record) {
    const auto id = domain::token_id(domain::random_token());
    tests::Added added;
    store_->add_token(id, record, domain::Deadline::max(), added);
    EXPECT_TRUE(added.wait());
    return id;
  }
  TokenRecord record_of(const TokenId& id) { return store_->reader()->find(id).value().record; }

  const tests::TemporaryDirectory directory_;
  std::atomic<domain::Seconds> now_s_ = 1'700'000'000;
  std::unique_ptr<RocksDbStore> store_;
  std::unique_ptr<TokenKeeper> keeper_;
};

TEST_F(RocksDbTokenKeeperTest, WhatIsKnownOfATokenIsThereAfterAStart) {
  open();
  const auto id = add({.minted_s = now_s_, .expires_s = now_s_ + 100, .label = "shop"});
  EXPECT_EQ(track_one(*store_, id, "/a"), Verdict::counted(1));
  EXPECT_EQ(keeper_->change(id, {.idle_s = 1'000})->label, "shop");
  for (int run = 0; run < 2; ++run) {
    open();
    EXPECT_EQ(record_of(id), (TokenRecord{.minted_s = now_s_,
                                          .expires_s = now_s_ + 100,
                                          .idle_s = 1'000,
                                          .used_s = now_s_,
                                          .paths = TokenRecord::Paths{1, 2},
                                          .label = "shop"}));
    EXPECT_EQ(track_one(*store_, id, "/a"), Verdict::counted(run + 2));
  }
  EXPECT_TRUE(keeper_->change(id, {.revokes = true}));
  EXPECT_EQ(track_one(*store_, id, "/a"), Verdict::unknown_token());
  open();
  EXPECT_EQ(track_one(*store_, id, "/a"), Verdict::unknown_token());
  EXPECT_EQ(track_one(*store_, id, "/b"), Verdict::unknown_token());
  EXPECT_EQ(store_->reader()->read(id, {.limit = 9})->counts, (std::vector<StoredCount>{{"/a", 3}}));
}

// A store of a version without records: values of 8 bytes.
TEST_F(RocksDbTokenKeeperTest, ATokenOfBeforeHasItsPathsCountedWhenItGetsOneMore) {
  const auto id = domain::token_id(domain::random_token());
  {
    open();
    store_.reset();
    Database database((directory_.path() / "store" / "db").string(), settings());
    Committer committer(database, settings(), [](StoreFormat /*format*/) {});
    committer.make({.fill =
                        [&](CommitWrite& write) {
                          const std::string key(reinterpret_cast<const char*>(id.bytes.data()),
                                                id.bytes.size());
                          write.put(key, 5);
                          write.put(key + "/one", 10);
                          write.put(key + "/two", 20);
                        },
                    .tokens = 1});
  }
  open();
  EXPECT_EQ(record_of(id), TokenRecord{.minted_s = 5});
  EXPECT_EQ(track_one(*store_, id, "/one"), Verdict::counted(11));
  EXPECT_FALSE(record_of(id).paths);
  EXPECT_EQ(track_one(*store_, id, "/three"), Verdict::counted(1));
  EXPECT_EQ(record_of(id).paths, (TokenRecord::Paths{3, 14}));
  EXPECT_EQ(track_one(*store_, id, "/four"), Verdict::too_many_paths());
  EXPECT_EQ(track_one(*store_, id, "/two"), Verdict::counted(21));
  EXPECT_EQ(state_of(*keeper_->change(id, {.idle_s = 60}), now_s_), domain::TokenState::active);
  open();
  EXPECT_EQ(track_one(*store_, id, "/four"), Verdict::too_many_paths());
}

TEST_F(RocksDbTokenKeeperTest, ATokenThatIsPurgedIsGoneForGood) {
  open();
  const auto id = add({.minted_s = now_s_, .expires_s = now_s_ + 10});
  const auto other = add({.minted_s = now_s_});
  for (const auto* path : {"/a", "/b", "/c"}) EXPECT_EQ(track_one(*store_, id, path), Verdict::counted(1));
  EXPECT_EQ(track_one(*store_, other, "/a"), Verdict::counted(1));
  now_s_ += 15;
  EXPECT_FALSE(keeper_->purge(id, 10));
  EXPECT_EQ(store_->reader()->find(id)->paths, 3U);
  now_s_ += 5;
  const auto swept = keeper_->sweep(~domain::SlotSet{}, 10);
  EXPECT_EQ(swept.removed, 1U);
  EXPECT_TRUE(swept.is_end);
  now_s_ -= 20;  // a clock that jumps back brings nothing back
  for (int run = 0; run < 2; ++run) {
    EXPECT_EQ(store_->reader()->find(id), std::nullopt);
    EXPECT_EQ(keeper_->change(id, {.label = "x"}), std::nullopt);
    EXPECT_EQ(track_one(*store_, id, "/a"), Verdict::unknown_token());
    EXPECT_EQ(track_one(*store_, id, "/new"), Verdict::unknown_token());
    EXPECT_EQ(track_one(*store_, other, "/a"), Verdict::counted(run + 2));
    open();
  }
  EXPECT_EQ(store_->tokens_at_open(), 1U);
}

// What is left of a token when a purge is interrupted is removed by the next sweep, whatever the time to retain is.
TEST_F(RocksDbTokenKeeperTest, APurgeThatWasInterruptedIsFinishedByASweep) {
  open();
  const auto id = add({.minted_s = now_s_});
  EXPECT_EQ(track_one(*store_, id, "/a"), Verdict::counted(1));
  const auto contents = store_->contents("");
  contents->set_mark({SlotMark::Kind::held, {1}, domain::SlotSet{}.set(domain::slot_of(id))});
  EXPECT_THROW(keeper_->purge(id, 0), HeldError);
  contents->clear_marks(domain::SlotSet{}.set());
  EXPECT_TRUE(keeper_->change(id, {.revokes = true}));
  EXPECT_FALSE(keeper_->purge(id, 100));
  now_s_ -= 50;  // the clock was ahead when it was revoked
  EXPECT_FALSE(keeper_->purge(id, 1));
  EXPECT_TRUE(keeper_->purge(id, 0));
  EXPECT_EQ(store_->reader()->find(id), std::nullopt);
}

// Whatever happens to the token while a hit waits for the disk, in a cache that turns with nearly every commit.
TEST_F(RocksDbTokenKeeperTest, ARevokedTokenStaysRevokedInATinyCache) {
  auto tiny = tests::small_settings(directory_.path() / "store", 4096);
  tiny.rules.now_s = [this] { return now_s_.load(); };
  store_ = std::make_unique<RocksDbStore>(tiny);
  keeper_ = store_->keeper();
  const auto id = add({.minted_s = now_s_});
  const auto other = add({.minted_s = now_s_});
  EXPECT_EQ(track_one(*store_, id, "/a"), Verdict::counted(1));
  for (int round = 0; round < 300; ++round) {
    EXPECT_EQ(track_one(*store_, other, "/" + std::to_string(round)), Verdict::counted(1));
    if (round < 100) continue;
    if (round == 100) {
      EXPECT_TRUE(keeper_->change(id, {.revokes = true}));
    }
    EXPECT_EQ(track_one(*store_, id, round % 2 == 0 ? "/a" : "/b"), Verdict::unknown_token());
  }
  EXPECT_EQ(state_of(record_of(id), now_s_), domain::TokenState::revoked);
}

// Nor when a hit comes twice: its counter must not be found in the cache.
TEST_F(RocksDbTokenKeeperTest, ATokenOfAnImportUnderWayIsNotCounted) {
  open();
  const auto id = domain::token_id(domain::random_token());
  const auto slots = domain::SlotSet{}.set(domain::slot_of(id));
  const ExportId export_id{7};
  const auto contents = store_->contents("");
  contents->set_mark({SlotMark::Kind::importing, export_id, slots});
  contents->put(export_id,
                std::vector{StoredToken{.id = id, .record = {.minted_s = 5}, .counts = {{"/a", 5}}}});
  domain::HitBatch hits;
  for (int i = 0; i < 3; ++i) hits.push(id, "/a");
  for (int round = 0; round < 2; ++round)
    EXPECT_THAT(tests::track(*store_, hits), testing::Each(Verdict::not_counted()));
  contents->clear_marks(slots);
  EXPECT_EQ(track_one(*store_, id, "/a"), Verdict::counted(6));
}

TEST_F(RocksDbTokenKeeperTest, SweepsInStepsFromTokenToToken) {
  open();
  for (int i = 0; i < 600; ++i) add({.minted_s = now_s_, .expires_s = i % 3 == 0 ? now_s_ + 1 : 0});
  now_s_ += 1;
  std::size_t removed = 0;
  int steps = 1;
  for (;; ++steps) {
    const auto swept = keeper_->sweep(~domain::SlotSet{}, 0);
    removed += swept.removed;
    if (swept.is_end) break;
  }
  EXPECT_EQ(removed, 200U);
  EXPECT_GE(steps, 3);
  open();
  EXPECT_EQ(store_->tokens_at_open(), 400U);
}

}  // namespace

}  // namespace tracker::store::rocksdb
