// What becomes of a token in every store: it expires, is revoked and changed, is bounded, and is removed at last.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "domain/token.h"
#include "runtime/workers.h"
#include "store/count_reader.h"
#include "store/memory/memory_store.h"
#include "store/redis/cluster_store.h"
#include "store/redis/redis_contents.h"
#include "store/redis/redis_count_reader.h"
#include "store/redis/redis_store.h"
#include "store/redis/redis_token_keeper.h"
#include "store/rocksdb/rocksdb_store.h"
#include "store/token_keeper.h"
#include "store/token_rules.h"
#include "support/blocking_store.h"
#include "support/deadline.h"
#include "support/redis_cluster.h"
#include "support/redis_server.h"
#include "support/store_and_loop.h"
#include "support/store_on_disk.h"
#include "support/temporary_directory.h"

namespace tracker::store {

namespace {

using domain::HitBatch;
using domain::Seconds;
using domain::SlotSet;
using domain::TokenId;
using domain::TokenRecord;
using domain::TokenState;
using domain::Verdict;
using Kind = SlotMark::Kind;
using testing::UnorderedElementsAreArray;

constexpr Seconds start_s = 1'700'000'000;
const SlotSet every_slot = SlotSet{}.set();
const ExportId one_export{1, 2, 3};

/// A store, and all that is done with its tokens.
struct OpenedStore {
  std::shared_ptr<void> server;  // in which it keeps them
  std::unique_ptr<CounterStore> store;
  std::shared_ptr<StoreContents> contents;
  std::unique_ptr<CountReader> reader;
  std::unique_ptr<TokenKeeper> keeper;
};

struct StoreUnderTest {
  const char* name;
  /// How many keys of its own the store may take for tokens, where it bounds their number.
  std::uint64_t own_keys;
  std::function<OpenedStore(const TokenRules&)> open;
};

std::ostream& operator<<(std::ostream& out, const StoreUnderTest& store) {
  return out << store.name;
}

OpenedStore memory_store(const TokenRules& rules) {
  auto store = std::make_unique<memory::MemoryStore>(rules);
  auto contents = store->contents();
  auto reader = store->reader();
  auto keeper = store->keeper();
  return {nullptr, std::move(store), std::move(contents), std::move(reader), std::move(keeper)};
}

/// The directory goes last.
OpenedStore rocksdb_store(const TokenRules& rules, std::size_t cache_bytes) {
  auto directory = std::make_shared<tests::TemporaryDirectory>();
  auto settings = tests::small_settings(directory->path() / "store", cache_bytes);
  settings.rules = rules;
  auto store = std::make_unique<rocksdb::RocksDbStore>(settings);
  auto contents = store->contents("");
  auto reader = store->reader();
  auto keeper = store->keeper();
  return {directory, std::move(store), std::move(contents), std::move(reader), std::move(keeper)};
}

OpenedStore redis_store(const TokenRules& rules) {
  auto server = std::make_shared<tests::RedisServer>();
  const redis::RedisSettings settings{.redis = redis::parse_redis_address(server->address()), .rules = rules};
  return {server, std::make_unique<tests::StoreAndLoop<redis::RedisStore>>(settings),
          redis::redis_contents(settings), redis::redis_count_reader(settings),
          redis::redis_token_keeper(settings)};
}

OpenedStore cluster_store(const TokenRules& rules) {
  auto cluster = std::make_shared<tests::RedisCluster>(3);
  const std::vector nodes{redis::parse_redis_address(cluster->node(0).address()).address};
  const redis::RedisSettings settings{.redis = {}, .rules = rules};
  return {cluster, std::make_unique<tests::StoreAndLoop<redis::ClusterStore>>(settings, nodes),
          redis::cluster_contents(settings, nodes), redis::cluster_count_reader(settings, nodes),
          redis::cluster_token_keeper(settings, nodes)};
}

class TokenRecordSuite : public testing::TestWithParam<StoreUnderTest> {
 protected:
  void open(TokenRules rules = {}) {
    opened_ = {};
    rules.now_s = [this] { return now_s_.load(); };
    opened_ = GetParam().open(rules);
  }

  bool add(const TokenId& id, const TokenRecord& record) {
    tests::Added added;
    opened_.store->add_token(id, record, domain::Deadline::max(), added);
    return added.wait();
  }
  TokenId mint(TokenRecord record = {}) {
    if (record.minted_s == 0) record.minted_s = now_s_;
    const auto id = domain::token_id(domain::random_token());
    EXPECT_TRUE(add(id, record));
    return id;
  }
  Verdict hit(const TokenId& id, std::string_view path = "/p") {
    return tests::track_one(*opened_.store, id, path);
  }
  std::optional<TokenRecord> change(const TokenId& id, const TokenChange& its) {
    return opened_.keeper->change(id, its);
  }
  std::optional<TokenSummary> find(const TokenId& id) { return opened_.reader->find(id); }
  /// What a store keeps of the record of a token that has counted. Redis leaves out what matters no more.
  static TokenRecord kept(TokenRecord record) {
    if (std::string_view(GetParam().name).starts_with("redis")) {
      record.use_by_s = 0;
      record.paths.reset();
    }
    return record;
  }
  TokenState state(const TokenId& id) { return state_of(find(id).value().record, now_s_); }

  std::set<TokenId> listed() {
    std::set<TokenId> ids;
    std::optional<TokenId> after;
    for (auto step = opened_.reader->list(every_slot, after, 10); !step.empty();
         step = opened_.reader->list(every_slot, after, 10)) {
      for (const auto& its : step) ids.insert(its.id);
      after = step.back().id;
    }
    return ids;
  }
  std::map<TokenId, StoredToken> read_all() {
    std::map<TokenId, StoredToken> all;
    const auto reader = opened_.contents->read(every_slot);
    for (auto page = reader->next(); !page.empty(); page = reader->next()) {
      for (auto& token : page) EXPECT_TRUE(all.emplace(token.id, token).second);
    }
    return all;
  }
  std::size_t sweep(const SlotSet& slots, Seconds retain_s) {
    std::size_t removed = 0;
    for (const tests::Deadline deadline; !deadline.passed();) {
      const auto step = opened_.keeper->sweep(slots, retain_s);
      removed += step.removed;
      if (step.is_end) return removed;
    }
    ADD_FAILURE() << "it does not end";
    return removed;
  }

  std::atomic<Seconds> now_s_ = start_s;
  OpenedStore opened_;
};

TEST_P(TokenRecordSuite, ExpiresAtItsTimeAndItsCountsStay) {
  open();
  const auto id = mint({.expires_s = start_s + 100});
  EXPECT_EQ(hit(id), Verdict::counted(1));
  now_s_ = start_s + 99;
  EXPECT_EQ(hit(id), Verdict::counted(2));
  now_s_ = start_s + 100;
  EXPECT_EQ(hit(id), Verdict::unknown_token());
  EXPECT_EQ(hit(id, "/new"), Verdict::unknown_token());
  EXPECT_EQ(state(id), TokenState::expired);
  EXPECT_EQ(find(id)->paths, 1U);
  EXPECT_EQ(find(id)->total, 2);
  now_s_ = start_s + 99;
  EXPECT_EQ(hit(id), Verdict::counted(3)) << "the clock has gone back";
}

TEST_P(TokenRecordSuite, ExpiresWhenNobodyUsesIt) {
  open();
  const auto id = mint({.idle_s = 80});
  now_s_ = start_s + 89;
  EXPECT_EQ(hit(id), Verdict::counted(1)) << "it ends up to an eighth late, and never early";
  now_s_ = start_s + 98;  // too soon to be noted
  EXPECT_EQ(hit(id), Verdict::counted(2));
  EXPECT_EQ(find(id)->record.used_s, start_s + 89);
  now_s_ = start_s + 99;
  EXPECT_EQ(hit(id), Verdict::counted(3));
  EXPECT_EQ(find(id)->record.used_s, start_s + 99);
  now_s_ = start_s + 99 + 89;
  EXPECT_EQ(hit(id, "/another"), Verdict::counted(1));
  now_s_ = now_s_ + 90;
  EXPECT_EQ(hit(id), Verdict::unknown_token());
  EXPECT_EQ(state(id), TokenState::expired);
}

TEST_P(TokenRecordSuite, OneThatHadToBeUsedAndWasNotExpires) {
  open();
  const TokenRecord record{.use_by_s = start_s + 100};
  const auto used = mint(record);
  const auto unused = mint(record);
  EXPECT_EQ(hit(used), Verdict::counted(1));
  now_s_ = start_s + 100;
  EXPECT_EQ(hit(used), Verdict::counted(2));
  EXPECT_EQ(hit(used, "/new"), Verdict::counted(1));
  EXPECT_EQ(hit(unused), Verdict::unknown_token());
}

TEST_P(TokenRecordSuite, TheLastUseIsNotedOnceAnHour) {
  open();
  const auto id = mint();
  EXPECT_EQ(find(id)->record.used_s, 0U);
  for (const Seconds after : {10, 20, 3'609}) {
    now_s_ = start_s + after;
    hit(id);
    EXPECT_EQ(find(id)->record.used_s, start_s + 10);
  }
  now_s_ = start_s + 3'610;
  hit(id);
  EXPECT_EQ(find(id)->record.used_s, start_s + 3'610);
}

TEST_P(TokenRecordSuite, ARevokedTokenIsUnknownFromThenOnAndForEver) {
  open();
  const auto id = mint();
  EXPECT_EQ(hit(id), Verdict::counted(1));
  now_s_ = start_s + 5;
  EXPECT_EQ(change(id, {.revokes = true}).value().revoked_s, start_s + 5);
  EXPECT_EQ(hit(id), Verdict::unknown_token());
  now_s_ = start_s + 6;
  EXPECT_EQ(change(id, {.revokes = true}).value().revoked_s, start_s + 5);
  EXPECT_EQ(change(id, {.label = "x", .expires_s = 0, .idle_s = 0}).value().revoked_s, start_s + 5);
  EXPECT_TRUE(add(id, {.minted_s = now_s_}));
  EXPECT_EQ(hit(id), Verdict::unknown_token());
  EXPECT_EQ(state(id), TokenState::revoked);
  EXPECT_EQ(find(id)->total, 1);
  EXPECT_EQ(find(id)->record.label, "x");
  EXPECT_EQ(listed(), std::set{id});
  const auto counts = opened_.reader->read(id, {.limit = 10});
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->counts, (std::vector{StoredCount{"/p", 1}}));
  EXPECT_EQ(counts->record, find(id)->record);
}

// No hit that is sent after the revocation is counted.
TEST_P(TokenRecordSuite, ARevocationIsSeenByTheNextHitUnderLoad) {
  open();
  const auto id = mint();
  std::atomic<bool> is_revoked = false;
  std::vector<std::jthread> clients;
  for (int client = 0; client < 3; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0;; ++i) {
        const bool was_revoked = is_revoked;
        const auto verdict = hit(id, "/" + std::to_string(client) + "/" + std::to_string(i / 2));
        if (was_revoked) {
          EXPECT_EQ(verdict, Verdict::unknown_token());
          return;
        }
      }
    });
  }
  for (const tests::Deadline deadline; find(id)->paths < 20 && !deadline.passed();) {
  }
  EXPECT_TRUE(change(id, {.revokes = true}));
  is_revoked = true;
  clients.clear();
  const auto after = find(id).value();
  EXPECT_EQ(hit(id, "/0/0"), Verdict::unknown_token());
  EXPECT_EQ(find(id), after);
}

TEST_P(TokenRecordSuite, OtherTimesBringAnExpiredTokenBack) {
  open();
  const auto id = mint({.expires_s = start_s + 10});
  hit(id);
  now_s_ = start_s + 20;
  EXPECT_EQ(hit(id), Verdict::unknown_token());
  for (const bool is_swept : {false, true}) {
    const auto expires_s = now_s_ + 10;
    if (is_swept) {
      EXPECT_EQ(sweep(every_slot, 1'000), 0U);
    }
    EXPECT_EQ(hit(id), Verdict::unknown_token());
    EXPECT_EQ(find(id)->paths, 1U);
    EXPECT_EQ(change(id, {.label = "still over"}).value().label, "still over");
    EXPECT_EQ(hit(id), Verdict::unknown_token());
    EXPECT_EQ(change(id, {.expires_s = expires_s}).value().expires_s, expires_s);
    EXPECT_EQ(hit(id), Verdict::counted(is_swept ? 3 : 2));
    now_s_ = now_s_ + 10;
    EXPECT_EQ(hit(id), Verdict::unknown_token());
  }
  EXPECT_TRUE(change(id, {.expires_s = 0, .idle_s = 8}));
  EXPECT_EQ(hit(id), Verdict::counted(4)) << "it may have been used up to an hour after what is noted";
  now_s_ = now_s_ + 4'000;
  EXPECT_EQ(hit(id), Verdict::unknown_token());
  EXPECT_TRUE(change(id, {.idle_s = 9}));
  EXPECT_EQ(hit(id), Verdict::unknown_token()) << "it was not used for longer than that";
  EXPECT_TRUE(change(id, {.idle_s = 0}));
  EXPECT_EQ(hit(id), Verdict::counted(5));
}

TEST_P(TokenRecordSuite, AChangeLeavesTheRestOfTheRecord) {
  open();
  const TokenRecord record{.minted_s = start_s,
                           .expires_s = start_s + 100,
                           .idle_s = 800,
                           .use_by_s = start_s + 50,
                           .label = "a b=\xC3\xA9%",
                           .others = "quota=5 x=y"};
  const auto id = mint(record);
  auto expected = record;
  expected.paths.emplace();
  EXPECT_EQ(find(id)->record, expected);
  hit(id, "/abc");
  hit(id, "/d");
  expected.used_s = start_s;
  expected.paths = {2, 6};
  EXPECT_EQ(find(id)->record, kept(expected));
  expected.label = "another";
  EXPECT_EQ(change(id, {.label = "another"}), kept(expected));
  EXPECT_EQ(find(id)->record, kept(expected));
  hit(id, "/e");
  expected.paths = {3, 8};
  EXPECT_EQ(find(id)->record, kept(expected));
  const auto read = read_all().at(id).record;
  EXPECT_EQ(read.label, expected.label);
  EXPECT_EQ(read.others, expected.others);
  EXPECT_EQ(read.expires_s, expected.expires_s);
  EXPECT_EQ(change(domain::token_id(domain::random_token()), {.label = "x"}), std::nullopt);
}

// Whatever comes at once, exactly as many paths are counted as there may be, and they go on.
TEST_P(TokenRecordSuite, NoMorePathsThanThereMayBe) {
  constexpr int threads = 4;
  open({.paths_max = 10});
  const auto id = mint();
  const auto other = mint();
  EXPECT_EQ(hit(id, "/first"), Verdict::counted(1));
  std::mutex mutex;
  std::map<std::string, std::int64_t> counted;
  {
    std::vector<std::jthread> clients;
    for (int thread = 0; thread < threads; ++thread) {
      clients.emplace_back([&, thread] {
        for (int batch = 0; batch < 20; ++batch) {
          HitBatch hits;
          std::vector<std::string> paths;
          for (int i = 0; i < 20; ++i) {
            paths.push_back("/" + std::to_string((i * 7 + thread * 3 + batch) % 40));
            hits.push(id, paths.back());
            hits.push(id, paths.back());
            hits.push(other, "/p");
          }
          const auto verdicts = tests::track(*opened_.store, hits);
          const std::lock_guard lock(mutex);
          for (std::size_t i = 0; i < verdicts.size(); ++i) {
            if (i % 3 == 2) {
              EXPECT_EQ(verdicts[i].kind, Verdict::Kind::counted);
            } else if (verdicts[i].kind == Verdict::Kind::counted) {
              ++counted[paths[i / 3]];
            } else {
              EXPECT_EQ(verdicts[i], Verdict::too_many_paths());
            }
          }
        }
      });
    }
  }
  EXPECT_EQ(counted.size(), 9U);
  counted["/first"] = 1;
  std::vector<StoredCount> expected;
  for (const auto& [path, count] : counted) expected.push_back({path, count});
  EXPECT_EQ(opened_.reader->read(id, {.limit = 100})->counts, expected);
  EXPECT_EQ(find(id)->paths, 10U);
  EXPECT_EQ(hit(id, "/first"), Verdict::counted(2));
  EXPECT_EQ(hit(id, "/another"), Verdict::too_many_paths());
  EXPECT_EQ(find(other)->total, threads * 20 * 20);
}

TEST_P(TokenRecordSuite, NoMoreBytesOfPathsThanThereMayBe) {
  open({.path_bytes_max = 20});
  const auto id = mint();
  HitBatch hits;
  for (const auto* path : {"/5678", "/a234567890", "/b2345", "/c", "/d23"}) hits.push(id, path);
  const auto verdicts = tests::track(*opened_.store, hits);
  std::uint64_t bytes = 0;
  std::uint64_t paths = 0;
  for (std::uint32_t i = 0; i < hits.size(); ++i) {
    if (verdicts[i].kind != Verdict::Kind::counted) continue;
    bytes += hits.path(i).size();
    ++paths;
  }
  EXPECT_LE(bytes, 20U);
  EXPECT_GE(bytes, 18U) << "/c has room";
  EXPECT_EQ(find(id)->record.paths, (TokenRecord::Paths{paths, bytes}));
  const auto rest = std::string(20 - bytes, 'x');
  EXPECT_EQ(hit(id, rest + "x"), Verdict::too_many_paths());
  if (!rest.empty()) {
    EXPECT_EQ(hit(id, rest), Verdict::counted(1));
  }
  EXPECT_EQ(hit(id, "y"), Verdict::too_many_paths());
  EXPECT_EQ(find(id)->record.paths->bytes, 20U);
  EXPECT_EQ(find(id)->total, static_cast<std::int64_t>(find(id)->paths));
}

TEST_P(TokenRecordSuite, IsPurgedOnlyWhenItIsOutdated) {
  open();
  const auto revoked = mint();
  const auto expired = mint({.expires_s = start_s + 10});
  const auto unused = mint({.use_by_s = start_s + 10});
  const auto used = mint({.use_by_s = start_s + 10});
  for (const auto& id : {revoked, expired, used}) hit(id);
  EXPECT_TRUE(change(revoked, {.revokes = true}));
  for (const auto& id : {revoked, expired, unused, used}) {
    EXPECT_FALSE(opened_.keeper->purge(id, 100));
    EXPECT_TRUE(find(id));
  }
  now_s_ = start_s + 10;
  EXPECT_TRUE(opened_.keeper->purge(unused, 100)) << "its counts need not be kept";
  EXPECT_FALSE(opened_.keeper->purge(used, 0));
  now_s_ = start_s + 100;
  EXPECT_TRUE(opened_.keeper->purge(revoked, 100));
  EXPECT_FALSE(opened_.keeper->purge(expired, 100));
  now_s_ = start_s + 110;
  EXPECT_TRUE(opened_.keeper->purge(expired, 100));
  EXPECT_TRUE(opened_.keeper->purge(expired, 100)) << "there is none any more";
  for (const auto& id : {revoked, expired, unused}) {
    EXPECT_EQ(find(id), std::nullopt);
    EXPECT_EQ(hit(id), Verdict::unknown_token());
    EXPECT_EQ(change(id, {.expires_s = 0}), std::nullopt);
  }
  now_s_ = start_s;
  EXPECT_EQ(hit(expired), Verdict::unknown_token()) << "what was purged does not come back";
  EXPECT_EQ(hit(used), Verdict::counted(2));
  EXPECT_EQ(listed(), std::set{used});
}

TEST_P(TokenRecordSuite, ASweepRemovesExactlyWhatIsOutdated) {
  open();
  std::vector<TokenId> outdated;
  std::set<TokenId> kept;
  SlotSet swept = every_slot;
  for (int i = 0; i < 300; ++i) {
    const auto id =
        mint(i % 3 == 0 ? TokenRecord{.expires_s = start_s + 10} : TokenRecord{.use_by_s = start_s + 10});
    if (i % 3 != 2) hit(id);
    if (i % 3 == 1) {
      kept.insert(id);
    } else {
      outdated.push_back(id);
    }
    if (i % 50 == 0) swept.reset(domain::slot_of(id));
  }
  for (const auto& id : outdated) {
    if (!swept[domain::slot_of(id)]) kept.insert(id);
  }
  EXPECT_EQ(sweep(every_slot, 100), 0U);
  now_s_ = start_s + 110;
  const auto removed = sweep(swept, 100);
  EXPECT_THAT(listed(), UnorderedElementsAreArray(kept));
  EXPECT_EQ(removed, 300 - kept.size());
  const auto all = read_all();
  EXPECT_EQ(all.size(), kept.size());
  sweep(every_slot, 100);
  for (const auto& id : listed()) EXPECT_EQ(state(id), TokenState::active);
}

TEST_P(TokenRecordSuite, SlotsThatMoveAreLeftAlone) {
  open();
  std::vector<TokenId> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(mint({.expires_s = start_s + 10}));
    hit(ids.back());
  }
  ids.push_back(mint());
  EXPECT_TRUE(change(ids.back(), {.revokes = true}));
  now_s_ = start_s + 1'000;
  for (const auto kind : {Kind::held, Kind::importing, Kind::moved}) {
    SlotSet slots;
    for (const auto& id : ids) slots.set(domain::slot_of(id));
    opened_.contents->set_mark({kind, one_export, slots});
    EXPECT_EQ(sweep(every_slot, 0), 0U);
    for (const auto& id : ids) {
      EXPECT_THROW(change(id, {.expires_s = 0}), HeldError);
      EXPECT_THROW(opened_.keeper->purge(id, 0), HeldError);
    }
    if (kind == Kind::held) {
      EXPECT_EQ(read_all().size(), ids.size());
      EXPECT_EQ(sweep(every_slot, 0), 0U);
      for (const auto& id : ids) EXPECT_THROW(change(id, {.expires_s = 0}), HeldError);
    }
    opened_.contents->clear_marks(slots);
    EXPECT_EQ(listed(), std::set(ids.begin(), ids.end()));
  }
  EXPECT_EQ(sweep(every_slot, 0), ids.size());
  EXPECT_EQ(listed(), std::set<TokenId>());
}

TEST_P(TokenRecordSuite, TokensThatHaveEndedMoveLikeOthers) {
  open();
  const auto revoked = mint({.label = "label"});
  const auto expired = mint({.expires_s = start_s + 10});
  SlotSet slots;
  for (const auto& id : {revoked, expired}) {
    hit(id);
    slots.set(domain::slot_of(id));
  }
  EXPECT_TRUE(change(revoked, {.revokes = true}));
  now_s_ = start_s + 10;
  EXPECT_EQ(sweep(every_slot, 1'000), 0U);
  EXPECT_EQ(tests::find_slots(*opened_.store).value_or(slots), slots);
  auto tokens = read_all();
  ASSERT_EQ(tokens.size(), 2U);
  for (const auto& [id, token] : tokens) EXPECT_EQ(token.counts, (std::vector{StoredCount{"/p", 1}}));
  EXPECT_EQ(tokens.at(revoked).record.revoked_s, start_s);
  EXPECT_EQ(tokens.at(revoked).record.label, "label");
  const std::vector moved{tokens.at(revoked), tokens.at(expired)};
  EXPECT_EQ(opened_.contents->find(one_export, moved), std::vector(2, Presence::stranger));

  // An import that is given up leaves them; a move that is done does not.
  opened_.contents->set_mark({Kind::importing, one_export, slots});
  EXPECT_THROW(opened_.contents->put(one_export, moved), StoreError);
  opened_.contents->remove(slots);
  opened_.contents->clear_marks(slots);
  EXPECT_EQ(listed(), (std::set{revoked, expired}));
  opened_.contents->set_mark({Kind::held, one_export, slots});
  EXPECT_EQ(read_all().size(), 2U);
  opened_.contents->set_mark({Kind::moved, one_export, slots});
  EXPECT_TRUE(read_all().empty());
  EXPECT_THROW(find(revoked), MovedError);
  opened_.contents->remove(slots);
  EXPECT_EQ(opened_.contents->find(one_export, moved), std::vector(2, Presence::absent));

  // And back.
  opened_.contents->set_mark({Kind::importing, one_export, slots});
  opened_.contents->put(one_export, moved);
  opened_.contents->clear_marks(slots);
  for (const auto& id : {revoked, expired}) {
    EXPECT_EQ(hit(id), Verdict::unknown_token());
    EXPECT_EQ(find(id).value().total, 1);
  }
  EXPECT_EQ(state(revoked), TokenState::revoked);
  EXPECT_TRUE(change(expired, {.expires_s = 0}));
  EXPECT_EQ(hit(expired), Verdict::counted(2));
}

TEST_P(TokenRecordSuite, AnImportBringsTheRecords) {
  open({.path_bytes_max = 10});
  std::vector<StoredToken> tokens;
  for (const auto& record :
       {TokenRecord{.minted_s = 5, .label = "label", .others = "x=1"},
        TokenRecord{.minted_s = 6, .revoked_s = 7}, TokenRecord{.minted_s = 8, .expires_s = start_s},
        TokenRecord{.minted_s = 9, .use_by_s = 10}}) {
    tokens.push_back({.id = domain::token_id(domain::random_token()), .record = record});
    if (record.use_by_s == 0) tokens.back().counts = {{"/a", 3}, {"/bcdef", 4}};
  }
  SlotSet slots;
  for (const auto& token : tokens) slots.set(domain::slot_of(token.id));
  opened_.contents->set_mark({Kind::importing, one_export, slots});
  opened_.contents->put(one_export, tokens);
  opened_.contents->put(one_export, tokens);
  EXPECT_EQ(listed(), std::set<TokenId>());
  for (const auto& token : tokens) EXPECT_NE(hit(token.id).kind, Verdict::Kind::counted);
  opened_.contents->clear_marks(slots);
  EXPECT_EQ(hit(tokens[0].id, "/a"), Verdict::counted(4));
  EXPECT_EQ(hit(tokens[0].id, "/34"), Verdict::too_many_paths()) << "8 bytes are there";
  EXPECT_EQ(hit(tokens[0].id, "/2"), Verdict::counted(1));
  for (int i = 1; i < 4; ++i)
    EXPECT_EQ(hit(tokens[static_cast<std::size_t>(i)].id, "/a"), Verdict::unknown_token());
  for (const auto& token : tokens) {
    auto expected = token.record;
    const auto found = find(token.id);
    ASSERT_TRUE(found);
    expected.used_s = found->record.used_s;
    expected.paths = found->record.paths;
    EXPECT_EQ(found->record, expected);
    EXPECT_EQ(found->record.paths->number, found->paths);
  }
  EXPECT_EQ(opened_.contents->find(one_export, tokens), std::vector(4, Presence::of_export));
  EXPECT_TRUE(change(tokens[2].id, {.expires_s = 0}));
  EXPECT_EQ(hit(tokens[2].id, "/a"), Verdict::counted(4));
  EXPECT_EQ(opened_.contents->find(one_export, tokens), std::vector(4, Presence::of_export));
}

TEST_P(TokenRecordSuite, NoMoreTokensThanThereMayBe) {
  constexpr std::uint64_t tokens_max = 30;
  open({.tokens_max = tokens_max});
  std::vector<TokenId> ids;
  std::uint64_t refused = 0;
  for (std::uint64_t i = 0; i < 4 * tokens_max; ++i) {
    ids.push_back(domain::token_id(domain::random_token()));
    if (add(ids.back(), {.minted_s = start_s})) continue;
    ids.pop_back();
    ++refused;
  }
  EXPECT_LE(ids.size(), tokens_max);
  EXPECT_GE(ids.size(), tokens_max - GetParam().own_keys);
  EXPECT_GT(refused, 0U);
  for (const auto& id : ids) EXPECT_EQ(hit(id), Verdict::counted(1));
  EXPECT_EQ(listed().size(), ids.size());
}

INSTANTIATE_TEST_SUITE_P(
    Stores, TokenRecordSuite,
    testing::Values(
        StoreUnderTest{"memory", 0, memory_store},
        StoreUnderTest{"rocksdb", 0, [](const auto& rules) { return rocksdb_store(rules, 32U << 20U); }},
        StoreUnderTest{"rocksdb_tiny_cache", 0, [](const auto& rules) { return rocksdb_store(rules, 4096); }},
        StoreUnderTest{"redis", 1, redis_store}, StoreUnderTest{"redis_cluster", 3, cluster_store}),
    [](const auto& store) { return store.param.name; });

}  // namespace
}  // namespace tracker::store
