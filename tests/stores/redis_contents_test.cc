// The contents of a real Redis and of a real Redis Cluster: tokens that are read, held, imported, given back and removed, while a
// store counts in the same Redis.

#include "store/redis/redis_contents.h"
#include "store/redis/first_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <iterator>
#include <memory>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "domain/slot.h"
#include "domain/token.h"
#include "store/redis/redis_keys.h"
#include "store/store_error.h"
#include "stores/redis_kinds.h"
#include "support/blocking_store.h"
#include "support/deadline.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using domain::SlotSet;
using domain::TokenId;
using domain::Verdict;
using store::ExportId;
using store::SlotMark;
using store::StoreContents;
using store::StoredToken;
using store::redis::held_key;
using store::redis::redis_key;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Mark = SlotMark::Kind;

const auto no_slots = SlotSet();

StoredToken stored(const TokenId& id, std::vector<store::StoredCount> counts) {
  return {.id = id, .record = {.minted_s = 1'700'000'000}, .counts = std::move(counts)};
}

std::vector<StoredToken> read_all(StoreContents& contents, const SlotSet& slots = all_slots) {
  std::vector<StoredToken> all;
  const auto reader = contents.read(slots);
  for (auto page = reader->next(); !page.empty(); page = reader->next())
    all.insert(all.end(), page.begin(), page.end());
  return all;
}

std::vector<TokenId> ids_of(const std::vector<StoredToken>& tokens) {
  std::vector<TokenId> ids;
  for (const auto& token : tokens) ids.push_back(token.id);
  return ids;
}

class RedisContentsTest : public RedisKindsTest {
 protected:
  /// Those of the tokens that are there, and did not come from the export.
  std::vector<TokenId> strangers(const store::ExportId& export_id, const std::vector<StoredToken>& tokens) {
    std::vector<TokenId> ids;
    const auto found = contents_->find(export_id, tokens);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (found[i] == store::Presence::stranger) ids.push_back(tokens[i].id);
    }
    return ids;
  }

  void import(const std::vector<StoredToken>& tokens) {
    contents_->set_mark({Mark::importing, this_export, all_slots});
    contents_->put(this_export, tokens);
    contents_->clear_marks(all_slots);
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, RedisContentsTest, testing::Values(Kind::one, Kind::cluster),
                         [](const auto& its) { return its.param == Kind::one ? "One" : "Cluster"; });

TEST_P(RedisContentsTest, IsReadInTheOrderOfIdsAsItWasPut) {
  std::vector<StoredToken> tokens;
  for (const auto& id : tokens_in(all_slots, 300))
    tokens.push_back(stored(id, {{"/a", 1}, {"/\xff\r\n", INT64_MAX}}));
  tokens[100].counts.clear();
  tokens[200].counts.clear();
  for (int i = 10'000; i < 30'000; ++i) tokens[200].counts.push_back({"/" + std::to_string(i), i});
  import(tokens);
  const auto stranger = token_in(all_slots);
  command(stranger, {"HSET", redis_key(stranger), "/no", "5"});  // nobody minted it
  nodes_.front()->command({"SET", "tracker:strange{", "x"});
  for (const std::size_t ids_max : {7, 64, 1'000}) {
    SCOPED_TRACE(ids_max);
    const auto reader = open(ids_max)->read(all_slots);
    std::vector<StoredToken> all;
    std::size_t pages = 0;
    for (auto page = reader->next(); !page.empty(); page = reader->next(), ++pages)
      all.insert(all.end(), page.begin(), page.end());
    EXPECT_TRUE(all == tokens);
    EXPECT_GE(pages, ids_max == 7 ? 43U : 3U);
  }
  const auto some = half();
  std::erase_if(tokens, [&](const StoredToken& token) { return !some[domain::slot_of(token.id)]; });
  EXPECT_TRUE(read_all(*contents_, some) == tokens);
  EXPECT_THAT(read_all(*contents_, no_slots), IsEmpty());
  EXPECT_EQ(hit(tokens.front().id, "/a"), Verdict::counted(2));
}

TEST_P(RedisContentsTest, WhatIsMintedHasItsTime) {
  const auto id = token_in(all_slots);
  const auto now = static_cast<std::uint64_t>(std::time(nullptr));
  ASSERT_TRUE(mint(id));
  hit(id, "/b");
  hit(id, "/a");
  hit(id, "/b");
  const auto all = read_all(*contents_);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_THAT(all.front().counts, ElementsAre(store::StoredCount{"/a", 1}, store::StoredCount{"/b", 2}));
  EXPECT_GE(all.front().record.minted_s, now);
  EXPECT_LE(all.front().record.minted_s, now + 60);
}

TEST_P(RedisContentsTest, InHeldSlotsATokenCountsUntilItIsRead) {
  const auto slots = half();
  const auto ids = tokens_in(slots, 2);
  const auto elsewhere = token_in(~slots);
  for (const auto& id : {ids[0], ids[1], elsewhere}) {
    ASSERT_TRUE(mint(id));
    ASSERT_EQ(hit(id), Verdict::counted(1));
  }
  contents_->set_mark({Mark::held, this_export, slots});
  EXPECT_EQ(hit(ids[0]), Verdict::counted(2));
  EXPECT_EQ(hit(token_in(slots)), Verdict::not_counted()) << "the token may be one that was read";
  const auto new_one = token_in(slots);
  EXPECT_FALSE(mint(new_one));
  EXPECT_FALSE(exists(new_one, redis_key(new_one)));
  EXPECT_TRUE(mint(ids[0])) << "it is there already";
  if (is_cluster()) {
    EXPECT_EQ(hit(token_in(~slots)), Verdict::unknown_token());
    EXPECT_TRUE(mint(token_in(~slots)));
  }

  const auto reader = open(1)->read(slots);
  EXPECT_THAT(reader->next(),
              ElementsAre(testing::Field(&StoredToken::counts, ElementsAre(store::StoredCount{"/p", 2}))));
  EXPECT_EQ(hit(ids[0]), Verdict::not_counted());
  EXPECT_EQ(hit(ids[1]), Verdict::counted(2));
  EXPECT_EQ(hit(ids[1]), Verdict::counted(3));
  EXPECT_THAT(reader->next(),
              ElementsAre(testing::Field(&StoredToken::counts, ElementsAre(store::StoredCount{"/p", 3}))));
  EXPECT_EQ(hit(ids[1]), Verdict::not_counted());
  EXPECT_EQ(hit(ids[1], "/other"), Verdict::not_counted());
  EXPECT_THAT(reader->next(), IsEmpty());
  EXPECT_EQ(ids_of(read_all(*contents_, slots)), ids) << "whoever reads it again finds the same";
  EXPECT_EQ(hit(elsewhere), Verdict::counted(2));
  EXPECT_TRUE(wait_ready());

  contents_->clear_marks(slots);
  EXPECT_THAT(contents_->marks().all(), IsEmpty());
  EXPECT_EQ(hit(ids[0]), Verdict::counted(3));
  EXPECT_EQ(hit(ids[1]), Verdict::counted(4));
  EXPECT_EQ(hit(token_in(slots)), Verdict::unknown_token());
  EXPECT_TRUE(mint(token_in(slots)));
}

// Exactly what was answered is read, and what was not read is not answered. A hit is never told that its token is unknown.
TEST_P(RedisContentsTest, UnderLoadWhatIsReadIsWhatWasAnswered) {
  const auto ids = tokens_in(all_slots, 200);
  for (const auto& id : ids) ASSERT_TRUE(mint(id));
  std::vector<std::int64_t> answered(ids.size());
  std::atomic<int> counted = 0;
  int refused = 0;
  std::jthread load([&](const std::stop_token& end) {
    while (!end.stop_requested()) {
      domain::HitBatch hits;
      for (const auto& id : ids) hits.push(id, "/p");
      const auto verdicts = track(*store_, hits);
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (verdicts[i] == Verdict::not_counted()) {
          ++refused;
          continue;
        }
        EXPECT_EQ(verdicts[i], Verdict::counted(++answered[i]));
        ++counted;
      }
    }
  });
  const auto wait_for_more = [&] {
    const int before = counted;
    for (const Deadline deadline; counted < before + 1'000 && !deadline.passed();)
      std::this_thread::sleep_for(1ms);
  };
  std::vector<StoredToken> tokens;
  for (int round = 0; round < 3; ++round) {
    wait_for_more();
    contents_->set_mark({Mark::held, this_export, half()});
    const auto reader = open(10)->read(half());
    tokens.clear();
    for (auto page = reader->next(); !page.empty(); page = reader->next()) {
      tokens.insert(tokens.end(), page.begin(), page.end());
      wait_for_more();
    }
    if (round < 2) contents_->clear_marks(half());
  }
  load.request_stop();
  load.join();
  EXPECT_GT(refused, 0);
  std::size_t read = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!half()[domain::slot_of(ids[i])]) continue;
    ASSERT_LT(read, tokens.size());
    EXPECT_EQ(tokens[read].id, ids[i]);
    EXPECT_THAT(tokens[read++].counts, ElementsAre(store::StoredCount{"/p", answered[i]}));
  }
  EXPECT_EQ(read, tokens.size());
}

TEST_P(RedisContentsTest, AHoldThatIsLostWhileItsTokensAreReadIsNoticed) {
  const auto id = token_in(half());
  ASSERT_TRUE(mint(id));
  contents_->set_mark({Mark::held, this_export, half()});
  const auto reader = contents_->read(half());
  EXPECT_THAT(ids_of(reader->next()), ElementsAre(id));
  open()->clear_marks(half());
  EXPECT_THAT(why_it_throws([&] { reader->next(); }), HasSubstr("not held any more"));
}

TEST_P(RedisContentsTest, MarksAreReplacedAndTakenAway) {
  EXPECT_THAT(contents_->marks().all(), IsEmpty());
  const auto slots = half();
  contents_->set_mark({Mark::held, this_export, slots});
  EXPECT_THAT(open()->marks().all(), ElementsAre(SlotMark{Mark::held, this_export, slots}));
  SlotSet few;
  few.set(2).set(4).set(16'382);
  contents_->set_mark({Mark::moved, this_export, few});
  contents_->set_mark({Mark::importing, other_export, ~slots});
  EXPECT_THAT(open()->marks().all(),
              testing::UnorderedElementsAre(SlotMark{Mark::held, this_export, slots & ~few},
                                            SlotMark{Mark::moved, this_export, few},
                                            SlotMark{Mark::importing, other_export, ~slots}));
  contents_->set_mark({Mark::importing, this_export, slots});
  EXPECT_TRUE(mint(token_in(slots))) << "no slot is held any more";
  contents_->clear_marks(slots);
  EXPECT_THAT(open()->marks().all(), ElementsAre(SlotMark{Mark::importing, other_export, ~slots}));
  contents_->clear_marks(all_slots);
  EXPECT_THAT(open()->marks().all(), IsEmpty());
  EXPECT_EQ(hit(token_in(slots)), Verdict::unknown_token());
}

TEST_P(RedisContentsTest, ImportedTokensCountOnceTheirMarkIsTakenAway) {
  const auto native = token_in(all_slots);
  ASSERT_TRUE(mint(native));
  ASSERT_EQ(hit(native), Verdict::counted(1));
  contents_->set_mark({Mark::importing, this_export, all_slots});
  std::vector<StoredToken> tokens;
  for (const auto& id : tokens_in(all_slots, 20)) tokens.push_back(stored(id, {{"/p", 5}}));
  for (int i = 1'000; i < 2'500; ++i) tokens[3].counts.push_back({"/q" + std::to_string(i), 7});
  // An attempt before was killed within this token.
  const auto& broken = tokens[3].id;
  command(broken, {"HSET", held_key(broken), "/p", "5", "/gone", "1"});
  EXPECT_THAT(strangers(this_export, tokens), IsEmpty());
  contents_->put(this_export, tokens);
  contents_->put(this_export, tokens);
  EXPECT_EQ(hit(tokens[0].id), Verdict::not_counted());
  EXPECT_EQ(hit(token_in(all_slots)), Verdict::not_counted()) << "its token may still come";
  EXPECT_EQ(hit(native), Verdict::counted(2));
  EXPECT_TRUE(mint(token_in(all_slots)));
  EXPECT_EQ(read_all(*contents_).size(), 2U) << "the import is not read";

  contents_->clear_marks(all_slots);
  EXPECT_EQ(read_all(*contents_).size(), 22U);
  EXPECT_EQ(hit(broken, "/gone"), Verdict::counted(1)) << "nothing is left of the first attempt";
  EXPECT_EQ(hit(broken, "/q2499"), Verdict::counted(8));
  for (const auto& token : tokens) EXPECT_EQ(hit(token.id), Verdict::counted(6));
  contents_->put(this_export, tokens);
  for (const auto& token : tokens) EXPECT_EQ(hit(token.id), Verdict::counted(7)) << "it is left as it is";
}

TEST_P(RedisContentsTest, AStrangerIsNotReplaced) {
  const auto native = token_in(all_slots);
  ASSERT_TRUE(mint(native));
  const auto imported = token_in(all_slots);
  contents_->set_mark({Mark::importing, other_export, all_slots});
  contents_->put(other_export, std::vector{stored(imported, {{"/p", 1}})});
  const auto fresh = token_in(all_slots);
  const std::vector tokens{stored(fresh, {{"/p", 9}}), stored(native, {}), stored(imported, {{"/p", 9}})};
  EXPECT_THAT(strangers(this_export, tokens), ElementsAre(native, imported));
  EXPECT_THAT(strangers(other_export, tokens), ElementsAre(native));
  EXPECT_THAT(why_it_throws([&] { contents_->put(this_export, tokens); }), HasSubstr(to_string(native)));
  EXPECT_FALSE(exists(fresh, held_key(fresh))) << "nothing was written";
  contents_->clear_marks(all_slots);
  EXPECT_EQ(hit(imported), Verdict::counted(2));
}

TEST_P(RedisContentsTest, WhatHasMovedIsNotReadAndCanBeRemoved) {
  const auto slots = half();
  const auto ids = tokens_in(slots, 50);
  const auto here = token_in(~slots);
  for (const auto& id : ids) ASSERT_TRUE(mint(id));
  ASSERT_TRUE(mint(here));
  ASSERT_EQ(hit(here), Verdict::counted(1));
  contents_->remove(all_slots);
  EXPECT_EQ(read_all(*contents_).size(), 51U) << "without a mark nothing is removed";
  contents_->set_mark({Mark::held, this_export, slots});
  EXPECT_EQ(ids_of(read_all(*contents_, slots)), ids);
  contents_->set_mark({Mark::moved, this_export, slots});
  EXPECT_EQ(ids_of(read_all(*contents_)), std::vector{here});
  EXPECT_EQ(hit(ids[0]), Verdict::not_counted());
  EXPECT_FALSE(mint(token_in(slots)));
  contents_->remove(all_slots);
  for (const auto& id : ids) EXPECT_FALSE(exists(id, held_key(id)) || exists(id, redis_key(id)));
  EXPECT_EQ(hit(ids[0]), Verdict::not_counted());
  EXPECT_EQ(hit(here), Verdict::counted(2));
  contents_->clear_marks(slots);
  EXPECT_EQ(hit(ids[0]), Verdict::unknown_token());
}

TEST_P(RedisContentsTest, AnImportThatIsRemovedLeavesTheOthers) {
  const auto native = token_in(all_slots);
  ASSERT_TRUE(mint(native));
  contents_->set_mark({Mark::importing, this_export, all_slots});
  const auto imported = token_in(all_slots);
  contents_->put(this_export, std::vector{stored(imported, {{"/p", 1}})});
  contents_->remove(all_slots);
  EXPECT_FALSE(exists(imported, held_key(imported)));
  contents_->clear_marks(all_slots);
  EXPECT_EQ(ids_of(read_all(*contents_)), std::vector{native});
}

TEST_P(RedisContentsTest, ItsFactsAreThoseOfTheStore) {
  auto facts = store_->facts().value();
  for (const Deadline deadline; !facts && !deadline.passed();) facts = store_->facts().value();
  EXPECT_EQ(contents_->facts(), facts);
  EXPECT_EQ(contents_->what_can_be_lost().empty(), !is_cluster());
  nodes_.front()->command({"CONFIG", "SET", "appendonly", "no"});
  EXPECT_THAT(contents_->what_can_be_lost(), HasSubstr("loses all"));
}

TEST_P(RedisContentsTest, WhoWaitsForReplicasSaysThatThereAreNone) {
  auto settings = settings_;
  settings.replicas = 1;
  settings.reply_deadline = 200ms;
  const auto contents = open(settings);
  EXPECT_THAT(why_it_throws([&] {
                contents->set_mark({Mark::importing, this_export, half()});
              }),
              HasSubstr("reached 0 of the 1 replicas"));
}

TEST_P(RedisContentsTest, WhatIsWrongIsSaidInWords) {
  auto settings = settings_;
  settings.redis.address.port = 1;
  EXPECT_THAT(why_it_throws([&] { open(settings); }),
              HasSubstr("Redis at 127.0.0.1:1/0: Connection refused"));
  settings = settings_;
  settings.redis.password = "guess";
  EXPECT_THAT(why_it_throws([&] { open(settings); }), HasSubstr("it wants no password"));
  const auto id = token_in(all_slots);
  command(id, {"SET", redis_key(id), "x"});
  EXPECT_THAT(why_it_throws([&] { read_all(*contents_); }), HasSubstr(redis_key(id) + ": it says WRONGTYPE"));
  command(id, {"DEL", redis_key(id)});
  command(id, {"HSET", redis_key(id), "", "1", "/p", "many"});
  EXPECT_THAT(why_it_throws([&] { read_all(*contents_); }), HasSubstr("no count in " + redis_key(id)));
  command(id, {"HSET", redis_key(id), "/p", "1"});
  EXPECT_EQ(ids_of(read_all(*contents_)), std::vector{id});
}

TEST_P(RedisContentsTest, ARedisThatComesBackIsUsedAgain) {
  const auto id = token_in(all_slots);
  ASSERT_TRUE(mint(id));
  contents_->set_mark({Mark::importing, this_export, half()});
  if (is_cluster()) return;  // its nodes keep nothing
  redis_->kill();
  redis_->start_again();
  EXPECT_EQ(contents_->marks().all().size(), 1U);
  EXPECT_EQ(ids_of(read_all(*contents_)), std::vector{id});
}

class OneRedisContentsTest : public RedisContentsTest {};
INSTANTIATE_TEST_SUITE_P(Kinds, OneRedisContentsTest, testing::Values(Kind::one));

TEST_P(OneRedisContentsTest, WhereAllIsHeldTheStoreIsNotReady) {
  const auto id = token_in(all_slots);
  ASSERT_TRUE(mint(id));
  contents_->set_mark({Mark::held, this_export, all_slots});
  ASSERT_TRUE(wait_ready(false));
  EXPECT_THAT(why_not_ready(), HasSubstr("every token here is held for an export"));
  EXPECT_THAT(why_not_ready(), HasSubstr("tracker export --unhold"));
  EXPECT_EQ(hit(id), Verdict::not_counted());
  contents_->clear_marks(all_slots);
  ASSERT_TRUE(wait_ready());
  EXPECT_EQ(hit(id), Verdict::counted(1));
}

// The rule that an error names is enough for everything.
TEST_P(OneRedisContentsTest, TheRuleThatIsNamedWillDo) {
  redis_->command({"ACL", "SETUSER", "mover", "on", ">secret", "resetkeys", "~tracker:*", "-@all", "+hget"});
  auto settings = settings_;
  settings.redis.user = "mover";
  settings.redis.password = "secret";
  const auto contents = open(settings);
  const auto why = why_it_throws([&] { read_all(*contents); });
  ASSERT_THAT(why, HasSubstr("ACL SETUSER mover ~tracker:* "));
  const auto begin = why.find("ACL SETUSER");
  std::istringstream rule(why.substr(begin, why.find(';', begin) - begin));
  EXPECT_EQ(redis_->command(Arguments{std::istream_iterator<std::string>(rule), {}}).text, "OK");
  const auto id = token_in(all_slots);
  ASSERT_TRUE(mint(id));
  const auto imported = token_in(all_slots);
  contents->set_mark({Mark::importing, this_export, all_slots});
  EXPECT_THAT(why_it_throws([&] {
                contents->put(this_export, std::vector{stored(imported, {{"/p", 1}})});
              }),
              HasSubstr("does not throw"));
  contents->clear_marks(all_slots);
  contents->set_mark({Mark::held, this_export, all_slots});
  EXPECT_EQ(read_all(*contents).size(), 2U);
  contents->remove(all_slots);
  EXPECT_THAT(read_all(*contents), IsEmpty());
  contents->clear_marks(all_slots);
  EXPECT_EQ(contents->facts(), contents_->facts());
  EXPECT_EQ(contents->what_can_be_lost(), "");
}

class ClusterContentsTest : public RedisContentsTest {};
INSTANTIATE_TEST_SUITE_P(Kinds, ClusterContentsTest, testing::Values(Kind::cluster));

TEST_P(ClusterContentsTest, SlotsThatMovedAreFoundAgain) {
  SlotSet first;
  first.set(5);
  const auto id = token_in(first);
  ASSERT_TRUE(mint(id));
  cluster_->move(5, 0, 1);
  const std::vector tokens{stored(id, {})};
  EXPECT_THAT(strangers(this_export, tokens), ElementsAre(id)) << "by MOVED";
  cluster_->begin_move(5, 1, 2);
  const auto other = token_in(first);
  const std::vector others{stored(other, {})};
  EXPECT_THAT(strangers(this_export, others), IsEmpty()) << "by ASK";
  EXPECT_THAT(why_it_throws([&] { read_all(*contents_); }), HasSubstr("resharded"));
  cluster_->move_keys(5, 1, 2);
  cluster_->end_move(5, 1, 2);
  EXPECT_EQ(ids_of(read_all(*contents_)), std::vector{id});
}

// While a slot moves, a token is at one of two nodes, and its other key is missing at both.
TEST_P(ClusterContentsTest, TokensAreFoundWhileTheirSlotMoves) {
  const auto slot = SlotSet().set(5);
  const auto ids = tokens_in(slot, 4);  // two by each key; the first of the two moves first
  contents_->set_mark({Mark::importing, this_export, slot});
  contents_->put(this_export, std::vector{stored(ids[0], {}), stored(ids[1], {})});
  for (const auto& id : {ids[2], ids[3]}) ASSERT_TRUE(mint(id));
  std::vector<StoredToken> tokens;
  for (const auto& id : ids) tokens.push_back(stored(id, {}));
  tokens.push_back(stored(token_in(slot), {}));
  const auto expect_them = [&] {
    using store::Presence;
    EXPECT_THAT(contents_->find(this_export, tokens),
                ElementsAre(Presence::of_export, Presence::of_export, Presence::stranger, Presence::stranger,
                            Presence::absent));
    EXPECT_THAT(why_it_throws([&] { contents_->put(this_export, tokens); }), HasSubstr(to_string(ids[2])));
  };
  expect_them();
  cluster_->begin_move(5, 0, 1);
  expect_them();
  cluster_->migrate({held_key(ids[0]), redis_key(ids[2])}, 0, 1);
  expect_them();
  cluster_->move_keys(5, 0, 1);
  expect_them();
  cluster_->end_move(5, 0, 1);
  expect_them();
}

// However little of the keys is kept at a time.
TEST(FirstTrackerContents, AreReadInTheOrderOfIdsWhateverFitsIntoMemory) {
  RedisServer redis;
  std::map<TokenId, std::vector<store::StoredCount>> expected;
  for (int i = 0; i < 200; ++i) {
    const auto token = domain::random_token();
    redis.command({"SET", domain::to_string(token), "true"});
    auto& counts = expected[domain::token_id(token)];
    for (int path = 0; path < i % 7; ++path) {
      const auto name = "/" + std::to_string(path);
      redis.command({"SET", domain::to_string(token) + "_" + name, std::to_string(path + 1)});
      counts.push_back({name, path + 1});
    }
  }
  store::redis::RedisSettings settings;
  settings.redis = store::redis::parse_redis_address(redis.address());
  for (const std::size_t key_bytes : {std::size_t{1}, std::size_t{500}, std::size_t{1} << 20U}) {
    const auto contents = store::redis::first_tracker_contents(settings, key_bytes);
    const auto reader = contents->read(~domain::SlotSet());
    std::map<TokenId, std::vector<store::StoredCount>> found;
    for (auto page = reader->next(); !page.empty(); page = reader->next()) {
      for (const auto& token : page) {
        EXPECT_TRUE(found.empty() || found.rbegin()->first < token.id);
        found.emplace(token.id, token.counts);
      }
    }
    EXPECT_EQ(found, expected) << key_bytes;
  }
}

}  // namespace
}  // namespace tracker::tests
