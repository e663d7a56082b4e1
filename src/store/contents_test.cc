// What the contents of every store must do: reading and moving tokens while the store counts.
#include "store/store_contents.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "domain/token.h"
#include "store/memory/memory_store.h"
#include "store/rocksdb/rocksdb_store.h"
#include "store/store_error.h"
#include "store/token_rules.h"
#include "support/blocking_store.h"
#include "support/store_on_disk.h"
#include "support/temporary_directory.h"

namespace tracker::store {

using domain::SlotSet;
using domain::TokenId;
using domain::Verdict;
using Kind = SlotMark::Kind;

namespace {

struct OpenedStore {
  std::unique_ptr<CounterStore> store;
  std::shared_ptr<StoreContents> contents;
};

struct StoreUnderTest {
  const char* name;
  bool is_lasting;
  std::function<OpenedStore(const tests::TemporaryDirectory&)> open;
};

std::ostream& operator<<(std::ostream& out, const StoreUnderTest& store) {
  return out << store.name;
}

OpenedStore rocksdb(const tests::TemporaryDirectory& place, std::size_t cache_bytes) {
  auto store =
      std::make_unique<rocksdb::RocksDbStore>(tests::small_settings(place.path() / "store", cache_bytes));
  auto contents = store->contents("");
  return {std::move(store), std::move(contents)};
}

const ExportId one_export{1, 2, 3};
const ExportId other_export{4, 5, 6};

class StoreContentsTest : public testing::TestWithParam<StoreUnderTest> {
 protected:
  void open_again() {
    opened_.contents.reset();
    opened_.store.reset();
    opened_ = GetParam().open(place_);
  }
  StoreContents& contents() { return *opened_.contents; }
  TokenId new_token() { return tests::new_token(*opened_.store); }
  Verdict hit(const TokenId& id, std::string_view path) { return tests::track_one(*opened_.store, id, path); }
  bool mints() {
    tests::Added added;
    opened_.store->add_token(domain::token_id(domain::random_token()), {.minted_s = store::system_seconds()},
                             domain::Deadline::max(), added);
    return added.wait();
  }

  std::vector<StoredToken> read(const SlotSet& slots = SlotSet{}.set()) {
    std::vector<StoredToken> all;
    const auto reader = contents().read(slots);
    for (auto page = reader->next(); !page.empty(); page = reader->next()) {
      for (auto& token : page) all.push_back(std::move(token));
    }
    return all;
  }

  static StoredToken token(std::vector<StoredCount> counts) {
    return {.id = domain::token_id(domain::random_token()),
            .record = {.minted_s = 1'700'000'000},
            .counts = std::move(counts)};
  }
  static SlotSet slots_of(const std::vector<StoredToken>& tokens) {
    SlotSet slots;
    for (const auto& its : tokens) slots.set(domain::slot_of(its.id));
    return slots;
  }
  static SlotSet slot_of(const TokenId& id) { return SlotSet{}.set(domain::slot_of(id)); }

  const tests::TemporaryDirectory place_;
  OpenedStore opened_ = GetParam().open(place_);
};

TEST_P(StoreContentsTest, ReadsWholeTokensInTheOrderOfTheirIds) {
  EXPECT_TRUE(read().empty());
  std::map<TokenId, std::map<std::string, std::int64_t>> expected;
  for (int i = 0; i < 300; ++i) {
    const auto id = new_token();
    auto& counts = expected[id];
    for (int path = 0; path < i % 5; ++path) {
      for (int hits = 0; hits <= path; ++hits) hit(id, "/" + std::to_string(path));
      counts["/" + std::to_string(path)] = path + 1;
    }
  }
  const auto tokens = read();
  ASSERT_EQ(tokens.size(), expected.size());
  auto its = expected.begin();
  for (const auto& token : tokens) {
    EXPECT_EQ(token.id, its->first);
    EXPECT_GT(token.record.minted_s, 1'600'000'000U);
    std::map<std::string, std::int64_t> counts;
    for (const auto& [path, count] : token.counts) counts.emplace(path, count);
    EXPECT_EQ(counts, its->second);
    EXPECT_EQ(token.counts.size(), its->second.size());
    ++its;
  }
}

TEST_P(StoreContentsTest, ReadsSeveralPagesAndOnlyTheSlotsThatAreAskedFor) {
  const std::string long_path(4000, 'p');
  std::vector<TokenId> ids;
  for (int i = 0; i < 1000; ++i) {
    ids.push_back(new_token());
    hit(ids.back(), long_path);
  }
  const auto reader = contents().read(SlotSet{}.set());
  EXPECT_LT(reader->next().size(), 1000U);
  EXPECT_EQ(read().size(), 1000U);
  const auto some = read(slot_of(ids[7]));
  ASSERT_FALSE(some.empty());
  for (const auto& token : some) EXPECT_EQ(domain::slot_of(token.id), domain::slot_of(ids[7]));
}

TEST_P(StoreContentsTest, AReadingIsOfOneMoment) {
  std::vector<TokenId> ids;
  for (int i = 0; i < 200; ++i) {
    ids.push_back(new_token());
    hit(ids.back(), "/a");
  }
  const auto reader = contents().read(SlotSet{}.set());
  for (const auto& id : ids) {
    hit(id, "/a");
    hit(id, "/b");
  }
  new_token();
  std::size_t tokens = 0;
  for (auto page = reader->next(); !page.empty(); page = reader->next()) {
    for (const auto& token : page) {
      ++tokens;
      EXPECT_EQ(token.counts, (std::vector<StoredCount>{{"/a", 1}}));
    }
  }
  EXPECT_EQ(tokens, ids.size());
  EXPECT_EQ(hit(ids[0], "/a"), Verdict::counted(3));
  const auto after = read();
  EXPECT_EQ(after.size(), ids.size() + 1);
}

TEST_P(StoreContentsTest, NothingIsCountedOrMintedInHeldSlots) {
  const auto held = new_token();
  const auto other = new_token();
  ASSERT_NE(domain::slot_of(held), domain::slot_of(other));
  hit(held, "/a");
  hit(other, "/a");
  contents().set_mark({Kind::held, one_export, slot_of(held)});
  EXPECT_EQ(hit(held, "/a"), Verdict::not_counted());
  EXPECT_EQ(hit(other, "/a"), Verdict::counted(2));
  EXPECT_TRUE(opened_.store->readiness().value().is_ready());
  EXPECT_EQ(opened_.store->readiness().value().remarks().size(), 1U);

  contents().set_mark({Kind::held, other_export, SlotSet{}.set()});
  EXPECT_FALSE(opened_.store->readiness().value().is_ready());
  EXPECT_EQ(hit(other, "/a"), Verdict::not_counted());
  EXPECT_FALSE(mints());
  if (GetParam().is_lasting) open_again();
  EXPECT_FALSE(mints());
  EXPECT_EQ(hit(held, "/a"), Verdict::not_counted());
  EXPECT_EQ(contents().marks().all(), (std::vector<SlotMark>{{Kind::held, other_export, SlotSet{}.set()}}));
  EXPECT_EQ(read().size(), 2U) << "what is held can be read";

  contents().clear_marks(SlotSet{}.set());
  EXPECT_TRUE(opened_.store->readiness().value().is_ready());
  EXPECT_EQ(hit(held, "/a"), Verdict::counted(2));
  EXPECT_EQ(hit(other, "/a"), Verdict::counted(3));
  EXPECT_TRUE(mints());
}

TEST_P(StoreContentsTest, ImportedTokensCountOnceTheyAreAllThere) {
  const auto own = new_token();
  hit(own, "/a");
  const std::vector tokens{token({{"/a", 7}, {"/b", 1}}), token({})};
  const auto slots = slots_of(tokens) | slot_of(own);
  contents().set_mark({Kind::importing, one_export, slots});
  contents().put(one_export, {tokens.data(), 1});
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(hit(tokens[0].id, "/a"), Verdict::not_counted()) << "not yet";
    EXPECT_EQ(hit(tokens[0].id, "/new"), Verdict::not_counted());
    EXPECT_EQ(hit(tokens[1].id, "/a"), Verdict::not_counted()) << "it may still come";
    EXPECT_EQ(hit(own, "/a"), Verdict::counted(2 + time)) << "it was here before";
    EXPECT_EQ(read(slots).size(), 1U) << "what is not counted yet is not read";
    if (GetParam().is_lasting) open_again();
  }
  contents().put(one_export, tokens);
  EXPECT_EQ(contents().find(one_export, tokens), (std::vector{Presence::of_export, Presence::of_export}));
  contents().clear_marks(slots);
  EXPECT_EQ(hit(tokens[0].id, "/a"), Verdict::counted(8));
  EXPECT_EQ(hit(tokens[0].id, "/b"), Verdict::counted(2));
  EXPECT_EQ(hit(tokens[0].id, "/c"), Verdict::counted(1));
  EXPECT_EQ(hit(tokens[1].id, "/a"), Verdict::counted(1));
  EXPECT_EQ(hit(own, "/a"), Verdict::counted(4));
  EXPECT_EQ(hit(domain::token_id(domain::random_token()), "/a"), Verdict::unknown_token());
  for (const auto& read_token : read(slots_of({tokens[0]}))) {
    EXPECT_TRUE(read_token.id != tokens[0].id || read_token.record.minted_s == tokens[0].record.minted_s);
  }
}

// A token that has counted since keeps its counts, whatever is put again.
TEST_P(StoreContentsTest, PuttingATokenAgainChangesNothing) {
  const std::vector tokens{token({{"/a", 7}})};
  contents().set_mark({Kind::importing, one_export, slots_of(tokens)});
  contents().put(one_export, tokens);
  contents().clear_marks(slots_of(tokens));
  EXPECT_EQ(hit(tokens[0].id, "/a"), Verdict::counted(8));
  contents().set_mark({Kind::importing, one_export, slots_of(tokens)});
  contents().put(one_export, tokens);
  contents().clear_marks(slots_of(tokens));
  EXPECT_EQ(hit(tokens[0].id, "/a"), Verdict::counted(9));
}

TEST_P(StoreContentsTest, ATokenThatCameOtherwiseIsNotOverwritten) {
  const auto id = new_token();
  hit(id, "/a");
  const std::vector tokens{StoredToken{.id = id, .counts = {{"/a", 100}}}, token({{"/a", 1}})};
  EXPECT_EQ(contents().find(one_export, tokens), (std::vector{Presence::stranger, Presence::absent}));
  contents().set_mark({Kind::importing, one_export, slots_of(tokens)});
  EXPECT_THROW(contents().put(one_export, tokens), StoreError);
  contents().clear_marks(slots_of(tokens));
  EXPECT_EQ(hit(id, "/a"), Verdict::counted(2));
  EXPECT_EQ(hit(tokens[1].id, "/a"), Verdict::unknown_token());

  contents().set_mark({Kind::importing, other_export, slots_of({tokens[1]})});
  contents().put(other_export, {&tokens[1], 1});
  EXPECT_EQ(contents().find(one_export, {&tokens[1], 1}), std::vector{Presence::stranger});
}

TEST_P(StoreContentsTest, WhatHasMovedIsNeitherReadNorCountedAndGivesWay) {
  const auto id = new_token();
  hit(id, "/a");
  const auto slots = slot_of(id);
  contents().set_mark({Kind::moved, one_export, slots});
  EXPECT_TRUE(read(slots).empty());
  EXPECT_EQ(hit(id, "/a"), Verdict::not_counted());
  contents().remove(slots);
  if (GetParam().is_lasting) open_again();
  EXPECT_EQ(hit(id, "/a"), Verdict::not_counted()) << "moved, and never unknown";
  const std::vector tokens{StoredToken{.id = id, .record = {.minted_s = 5}, .counts = {{"/a", 40}}}};
  EXPECT_EQ(contents().find(other_export, tokens), std::vector{Presence::absent});
  contents().set_mark({Kind::importing, other_export, slots});
  contents().put(other_export, tokens);
  contents().clear_marks(slots);
  EXPECT_EQ(hit(id, "/a"), Verdict::counted(41));
  EXPECT_EQ(hit(id, "/never"), Verdict::counted(1));
}

TEST_P(StoreContentsTest, AnImportThatIsGivenUpLeavesTheOtherTokensOfItsSlots) {
  const auto own = new_token();
  hit(own, "/a");
  const std::vector tokens{token({{"/a", 7}})};
  const auto slots = slots_of(tokens) | slot_of(own);
  contents().set_mark({Kind::importing, one_export, slots});
  contents().put(one_export, tokens);
  contents().remove(slots);
  contents().clear_marks(slots);
  EXPECT_EQ(hit(own, "/a"), Verdict::counted(2));
  EXPECT_EQ(hit(tokens[0].id, "/a"), Verdict::unknown_token());
}

// Counts that are answered while marks come and go are successive, whatever was cached or being read at that moment.
TEST_P(StoreContentsTest, MarksComeAndGoWhileItCounts) {
  const auto id = new_token();
  std::atomic<bool> has_ended = false;
  std::int64_t last = 0;
  std::thread counting([&] {
    while (!has_ended) {
      const auto verdict = hit(id, "/a");
      if (verdict.kind != Verdict::Kind::counted) {
        EXPECT_EQ(verdict, Verdict::not_counted());
        continue;
      }
      EXPECT_EQ(verdict, Verdict::counted(last + 1));
      last = verdict.count;
    }
  });
  for (int time = 0; time < 20; ++time) {
    contents().set_mark({Kind::held, one_export, slot_of(id)});
    const auto held = read(slot_of(id));
    EXPECT_EQ(read(slot_of(id)), held);
    contents().clear_marks(slot_of(id));
  }
  has_ended = true;
  counting.join();
  EXPECT_EQ(hit(id, "/a"), Verdict::counted(last + 1));
}

INSTANTIATE_TEST_SUITE_P(
    Stores, StoreContentsTest,
    testing::Values(
        StoreUnderTest{"memory", false,
                       [](const auto&) {
                         auto store = std::make_unique<memory::MemoryStore>();
                         auto contents = store->contents();
                         return OpenedStore{std::move(store), std::move(contents)};
                       }},
        StoreUnderTest{"rocksdb", true, [](const auto& place) { return rocksdb(place, 32U << 20U); }},
        StoreUnderTest{"rocksdb_tiny_cache", true, [](const auto& place) { return rocksdb(place, 4096); }}),
    [](const auto& store) { return store.param.name; });

// What is not in order when it is read is not in the snapshot of a program of yesterday either: it refuses.
TEST(RocksDbContentsTest, AnOlderProgramRefusesAStoreWithMoves) {
  const tests::TemporaryDirectory place;
  const auto format = [&] { return tests::contents(place.path() / "store/FORMAT"); };
  auto opened = rocksdb(place, 1U << 20U);
  EXPECT_EQ(format(), "tracker store, format 1\n");
  const auto reader = opened.contents->read(SlotSet{}.set());
  EXPECT_EQ(format(), "tracker store, format 1\n") << "to be read changes nothing";
  opened.contents->set_mark({Kind::held, one_export, SlotSet{}.set()});
  EXPECT_EQ(format(), "tracker store, format 3\n");
}

}  // namespace
}  // namespace tracker::store
