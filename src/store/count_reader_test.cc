// What the readers of every store must do: reading tokens and counts while the store counts.
#include "store/count_reader.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "store/memory/memory_store.h"
#include "store/rocksdb/rocksdb_store.h"
#include "support/blocking_store.h"
#include "support/store_on_disk.h"
#include "support/temporary_directory.h"

namespace tracker::store {

namespace {

using domain::SlotSet;
using domain::TokenId;

struct ReadableStore {
  std::unique_ptr<CounterStore> store;
  std::shared_ptr<StoreContents> contents;
  std::unique_ptr<CountReader> reader;
};

struct ReaderUnderTest {
  const char* name;
  std::function<ReadableStore(const tests::TemporaryDirectory&)> open;
};

std::ostream& operator<<(std::ostream& out, const ReaderUnderTest& reader) {
  return out << reader.name;
}

const SlotSet every_slot = SlotSet{}.set();

class CountReaderTest : public testing::TestWithParam<ReaderUnderTest> {
 protected:
  TokenId new_token() { return tests::new_token(*opened_.store); }
  void hit(const TokenId& id, std::string_view path, int times = 1) {
    for (int i = 0; i < times; ++i) tests::track_one(*opened_.store, id, path);
  }
  CountReader& reader() { return *opened_.reader; }
  StoreContents& contents() { return *opened_.contents; }

  std::vector<TokenSummary> list_all(std::size_t limit, const SlotSet& slots = every_slot) {
    std::vector<TokenSummary> all;
    std::optional<TokenId> after;
    for (auto step = reader().list(slots, after, limit); !step.empty();
         step = reader().list(slots, after, limit)) {
      EXPECT_LE(step.size(), limit);
      all.insert(all.end(), step.begin(), step.end());
      after = step.back().id;
    }
    return all;
  }
  static std::vector<std::string> paths_of(const std::optional<TokenCounts>& counts) {
    std::vector<std::string> paths;
    for (const auto& count : counts.value().counts) paths.push_back(count.path);
    return paths;
  }

  const tests::TemporaryDirectory place_;
  ReadableStore opened_ = GetParam().open(place_);
};

using Paths = std::vector<std::string>;

TEST_P(CountReaderTest, ListsAllTokensInTheOrderOfTheirIds) {
  EXPECT_TRUE(list_all(10).empty());
  std::map<TokenId, TokenSummary> expected;
  for (int i = 0; i < 200; ++i) {
    const auto id = new_token();
    auto& summary = expected[id];
    for (int path = 0; path < i % 4; ++path) {
      hit(id, "/" + std::to_string(path), path + 1);
      ++summary.paths;
      summary.total += path + 1;
    }
  }
  for (const std::size_t limit : {1U, 7U, 1000U}) {
    const auto tokens = list_all(limit);
    ASSERT_EQ(tokens.size(), expected.size());
    auto its = expected.begin();
    for (const auto& token : tokens) {
      EXPECT_EQ(token.id, its->first);
      EXPECT_EQ(token.paths, its->second.paths);
      EXPECT_EQ(token.total, its->second.total);
      EXPECT_GT(token.record.minted_s, 1'600'000'000U);
      ++its;
    }
  }
}

TEST_P(CountReaderTest, ListsOnlyTheSlotsThatAreAskedFor) {
  const auto one = new_token();
  new_token();
  const auto tokens = list_all(10, SlotSet{}.set(domain::slot_of(one)));
  ASSERT_EQ(tokens.size(), 1U);
  EXPECT_EQ(tokens.front().id, one);
}

TEST_P(CountReaderTest, FindsOneToken) {
  const auto id = new_token();
  EXPECT_EQ(reader().find(id)->paths, 0U);
  hit(id, "/a", 3);
  hit(id, "/b");
  const auto found = reader().find(id);
  EXPECT_EQ(found->id, id);
  EXPECT_EQ(found->paths, 2U);
  EXPECT_EQ(found->total, 4);
  EXPECT_FALSE(reader().find(domain::token_id(domain::random_token())));
}

TEST_P(CountReaderTest, ReadsCountsPageByPageInTheOrderOfTheirBytes) {
  const auto other = new_token();
  const auto id = new_token();
  hit(other, "/a");
  for (const char* path : {"/b", "/a/2", "/a", "/a/1", "/c", "/a\xff"}) hit(id, path);
  hit(id, "/b");
  const auto all = reader().read(id, {.limit = 100});
  EXPECT_EQ(paths_of(all), (Paths{"/a", "/a/1", "/a/2", "/a\xff", "/b", "/c"}));
  EXPECT_EQ(all->counts[4].count, 2);
  EXPECT_FALSE(all->is_more);
  EXPECT_GT(all->record.minted_s, 1'600'000'000U);

  const auto first = reader().read(id, {.limit = 4});
  EXPECT_EQ(paths_of(first), (Paths{"/a", "/a/1", "/a/2", "/a\xff"}));
  EXPECT_TRUE(first->is_more);
  const auto second = reader().read(id, {.after = "/a\xff", .limit = 2});
  EXPECT_EQ(paths_of(second), (Paths{"/b", "/c"}));
  EXPECT_FALSE(second->is_more);
  EXPECT_TRUE(reader().read(id, {.after = "/c", .limit = 2})->counts.empty());
}

TEST_P(CountReaderTest, ReadsWhatBeginsWithAPrefix) {
  const auto id = new_token();
  EXPECT_TRUE(reader().read(id, {.prefix = "/a", .limit = 3})->counts.empty());
  for (const char* path : {"/", "/a", "/a/1", "/a/2", "/ab", "/b"}) hit(id, path);
  EXPECT_EQ(paths_of(reader().read(id, {.prefix = "/a/", .limit = 9})), (Paths{"/a/1", "/a/2"}));
  EXPECT_EQ(paths_of(reader().read(id, {.prefix = "/a", .after = "/a/1", .limit = 9})),
            (Paths{"/a/2", "/ab"}));
  EXPECT_EQ(paths_of(reader().read(id, {.prefix = "/a", .after = "/", .limit = 1})), (Paths{"/a"}));
  EXPECT_TRUE(reader().read(id, {.prefix = "/a", .after = "/b", .limit = 9})->counts.empty());
  EXPECT_TRUE(reader().read(id, {.prefix = "/c", .limit = 9})->counts.empty());
  EXPECT_FALSE(reader().read(domain::token_id(domain::random_token()), {.limit = 9}));
}

TEST_P(CountReaderTest, APageOfLongPathsIsCut) {
  const auto id = new_token();
  for (int i = 100; i < 300; ++i) hit(id, "/" + std::to_string(i) + std::string(8'000, 'x'));
  CountsQuery query{.limit = 1'000};
  std::size_t paths = 0;
  for (bool is_more = true; is_more;) {
    const auto page = reader().read(id, query);
    ASSERT_FALSE(page->counts.empty());
    EXPECT_LT(page->counts.size(), 150U);
    paths += page->counts.size();
    query.after = page->counts.back().path;
    is_more = page->is_more;
  }
  EXPECT_EQ(paths, 200U);
}

TEST_P(CountReaderTest, HeldTokensAreReadAndMovedOnesAreNot) {
  const auto id = new_token();
  hit(id, "/a");
  const auto slots = SlotSet{}.set(domain::slot_of(id));
  contents().set_mark({SlotMark::Kind::held, ExportId{1}, slots});
  EXPECT_EQ(reader().find(id)->total, 1);
  contents().set_mark({SlotMark::Kind::moved, ExportId{1}, slots});
  EXPECT_THROW(reader().find(id), MovedError);
  EXPECT_THROW(reader().read(id, {.limit = 1}), MovedError);
  EXPECT_TRUE(list_all(10).empty());
}

TEST_P(CountReaderTest, WhatIsBeingImportedIsNotThereYet) {
  const StoredToken token{
      .id = domain::token_id(domain::random_token()), .record = {.minted_s = 7}, .counts = {{"/a", 5}}};
  const auto slots = SlotSet{}.set(domain::slot_of(token.id));
  contents().set_mark({SlotMark::Kind::importing, ExportId{1}, slots});
  contents().put(ExportId{1}, {&token, 1});
  EXPECT_FALSE(reader().find(token.id));
  EXPECT_FALSE(reader().read(token.id, {.limit = 1}));
  EXPECT_TRUE(list_all(10).empty());
  contents().clear_marks(slots);
  EXPECT_EQ(reader().find(token.id)->total, 5);
  EXPECT_EQ(list_all(10).size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Stores, CountReaderTest,
    testing::Values(
        ReaderUnderTest{"memory",
                        [](const auto&) {
                          auto store = std::make_unique<memory::MemoryStore>();
                          auto contents = store->contents();
                          auto reader = store->reader();
                          return ReadableStore{std::move(store), std::move(contents), std::move(reader)};
                        }},
        ReaderUnderTest{"rocksdb",
                        [](const auto& place) {
                          auto store = std::make_unique<rocksdb::RocksDbStore>(
                              tests::small_settings(place.path() / "store", 32U << 20U));
                          auto contents = store->contents("");
                          auto reader = store->reader();
                          return ReadableStore{std::move(store), std::move(contents), std::move(reader)};
                        }}),
    [](const auto& reader) { return reader.param.name; });

}  // namespace

}  // namespace tracker::store
