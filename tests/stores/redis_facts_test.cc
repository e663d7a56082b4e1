// Which store a Redis is, its record and the slots of its tokens, with a real redis-server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "domain/hex.h"
#include "domain/slot.h"
#include "domain/token.h"
#include "runtime/workers.h"
#include "store/redis/redis_round.h"
#include "store/redis/redis_store.h"
#include "store/token_rules.h"
#include "support/blocking_store.h"
#include "support/captured_log.h"
#include "support/deadline.h"
#include "support/faulty_link.h"
#include "support/redis_server.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using domain::Verdict;
using testing::HasSubstr;
using testing::Not;

constexpr const char* other_id = "0123456789abcdef0123456789abcdef";

// A store and the loop that it needs.
class RunningStore {
 public:
  explicit RunningStore(const std::string& address, bool proxy = false)
      : store_(loop_.context(0), {.redis = store::redis::parse_redis_address(address),
                                  .reply_deadline = 1'000ms,
                                  .proxy = proxy}) {
    loop_.start();
  }
  ~RunningStore() { loop_.stop(); }

  store::redis::RedisStore& operator*() { return store_; }
  store::redis::RedisStore* operator->() { return &store_; }

  bool is_ready() const { return store_.readiness().value().is_ready(); }
  bool wait_ready() const {
    for (const Deadline deadline; !is_ready(); std::this_thread::sleep_for(1ms)) {
      if (deadline.passed()) return false;
    }
    return true;
  }
  bool wait_record(const std::string& record) const {
    for (const Deadline deadline; !is_ready() || !facts() || facts()->record != record;
         std::this_thread::sleep_for(1ms)) {
      if (deadline.passed()) return false;
    }
    return true;
  }
  std::optional<store::StoreFacts> facts() const { return store_.facts().value(); }

  // Returns how it failed, or nothing.
  std::optional<domain::Failure> write_record(const std::string& record) {
    struct Reply final : store::WriteReply {
      void on_written(domain::Result<void> written) override {
        outcome.set_value(written ? std::nullopt : std::optional(written.error()));
      }
      std::promise<std::optional<domain::Failure>> outcome;
    } reply;
    store_.write_record(record, domain::Deadline::max(), reply);
    return reply.outcome.get_future().get();
  }

  // Returns nothing if it failed as not done.
  std::optional<domain::SlotSet> find_slots() { return begin_to_find_slots().get(); }
  std::future<std::optional<domain::SlotSet>> begin_to_find_slots() {
    struct Reply final : store::SlotsReply {
      void on_slots(domain::Result<domain::SlotSet> found) override {
        const std::unique_ptr<Reply> self(this);
        EXPECT_TRUE(found || found.error() == domain::Failure::not_done);
        slots.set_value(found ? std::optional(*found) : std::nullopt);
      }
      std::promise<std::optional<domain::SlotSet>> slots;
    };
    auto* reply = new Reply;
    auto slots = reply->slots.get_future();
    store_.find_slots(*reply);
    return slots;
  }

 private:
  runtime::Workers loop_{1};
  store::redis::RedisStore store_;
};

TEST(RedisFactsTest, ThoseWhoConnectAtOnceAgree) {
  const RedisServer redis;
  std::vector<std::unique_ptr<RunningStore>> stores;
  for (int i = 0; i < 5; ++i) stores.push_back(std::make_unique<RunningStore>(redis.address()));
  for (const auto& store : stores) ASSERT_TRUE(store->wait_ready());
  const auto facts = stores.front()->facts();
  ASSERT_TRUE(facts.has_value());
  for (const auto& store : stores) EXPECT_EQ(store->facts(), facts);
  EXPECT_THAT(redis.command({"INFO", "server"}).text, HasSubstr("run_id:" + facts->server_run + "\r\n"));
  EXPECT_TRUE(facts->is_lasting);
  EXPECT_EQ(facts->record, "");
  std::string id;
  domain::append_hex(facts->id, id);
  EXPECT_EQ(redis.command({"HGET", "tracker:store", "id"}).text, id);

  const RedisServer another;
  RunningStore store(another.address());
  ASSERT_TRUE(store.wait_ready());
  EXPECT_NE(store.facts()->id, facts->id);
}

TEST(RedisFactsTest, CountersOfOneRedisNeverGiveOutACountTwice) {
  const RedisServer redis;
  RunningStore first(redis.address());
  RunningStore second(redis.address());
  ASSERT_TRUE(first.wait_ready() && second.wait_ready());
  const auto id = new_token(*first);
  constexpr int hits = 300;
  const auto counts_of = [&](RunningStore& store) {
    std::vector<std::int64_t> counts;
    for (int hit = 0; hit < hits; ++hit) counts.push_back(track_one(*store, id, "/").count);
    return counts;
  };
  auto others = std::async(std::launch::async, [&] { return counts_of(second); });
  auto all = counts_of(first);
  for (const auto count : others.get()) all.push_back(count);
  std::sort(all.begin(), all.end());
  for (int i = 0; i < 2 * hits; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i + 1);
}

TEST(RedisFactsTest, ARecordIsKeptAndIsNotToldAnew) {
  const RedisServer redis;
  RunningStore store(redis.address());
  ASSERT_TRUE(store.wait_ready());
  const auto facts = store.facts();
  std::string record(64 * 1024, 'x');
  record += std::string("\0\r\n\xff", 4);
  EXPECT_EQ(store.write_record("the first"), std::nullopt);
  EXPECT_EQ(store.write_record(record), std::nullopt);
  EXPECT_EQ(store.facts(), facts);
  RunningStore next(redis.address());
  ASSERT_TRUE(next.wait_ready());
  EXPECT_EQ(next.facts()->record, record);
  EXPECT_EQ(next.facts()->id, facts->id);
  EXPECT_EQ(redis.command({"KEYS", "*"}).elements.size(), 1U);
}

TEST(RedisFactsTest, ARestartKeepsTheIdentityAndTheRecord) {
  RedisServer redis(RedisServer::Keeps::everything);
  RunningStore store(redis.address());
  ASSERT_TRUE(store.wait_ready());
  EXPECT_EQ(store.write_record("a record"), std::nullopt);
  const auto before = store.facts();
  redis.kill();
  for (const Deadline deadline; store.is_ready() && !deadline.passed();) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(store.write_record("another"), domain::Failure::not_done);
  redis.start_again();
  ASSERT_TRUE(store.wait_ready());
  const auto after = store.facts();
  EXPECT_EQ(after->id, before->id);
  EXPECT_EQ(after->record, "a record");
  EXPECT_NE(after->server_run, before->server_run);
}

// Two processes with one name, one of which had been paused, say.
TEST(RedisFenceTest, OnlyTheProcessThatWroteARecordLastCounts) {
  const RedisServer redis;
  FaultyLink link(redis.endpoint());
  RunningStore first(link.door().to_string());
  RunningStore second(redis.address());
  RunningStore without_record(redis.address());
  ASSERT_TRUE(first.wait_ready() && second.wait_ready() && without_record.wait_ready());
  const auto id = new_token(*first);
  EXPECT_EQ(track_one(*without_record, id, "/"), Verdict::counted(1));
  EXPECT_EQ(first.write_record("of the first"), std::nullopt);
  EXPECT_EQ(track_one(*first, id, "/"), Verdict::counted(2));
  EXPECT_EQ(track_one(*without_record, id, "/"), Verdict::not_counted());
  EXPECT_EQ(track_one(*first, id, "/"), Verdict::counted(3));

  EXPECT_EQ(second.write_record("of the second"), domain::Failure::not_done) << "it has not read the record";
  ASSERT_TRUE(second.wait_record("of the first"));
  EXPECT_EQ(second.write_record("of the second"), std::nullopt);
  EXPECT_EQ(track_one(*second, id, "/"), Verdict::counted(4));
  const domain::TokenId another{{1}};
  Added added;
  first->add_token(another, {.minted_s = store::system_seconds()}, domain::Deadline::max(), added);
  EXPECT_FALSE(added.wait());
  EXPECT_EQ(track_one(*first, id, "/"), Verdict::not_counted());
  EXPECT_EQ(redis.command({"EXISTS", store::redis::redis_key(another)}).integer, 0);
  const auto connections = link.accepted();
  for (const Deadline deadline; link.accepted() < connections + 2 && !deadline.passed();) {
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_THAT(first->readiness().value().why_not(),
              HasSubstr("another counter has taken it over: either two "));
  EXPECT_EQ(first.write_record("of the first again"), domain::Failure::not_done);
  EXPECT_EQ(track_one(*second, id, "/"), Verdict::counted(5));
  EXPECT_EQ(redis.command({"HGET", "tracker:store", "record"}).text, "of the second");

  RunningStore another_start(redis.address());
  ASSERT_TRUE(another_start.wait_ready());
  EXPECT_EQ(another_start.facts()->record, "of the second");
  EXPECT_EQ(track_one(*another_start, id, "/"), Verdict::counted(6))
      << "what the record allows is not the store's business";
  EXPECT_EQ(track_one(*second, id, "/"), Verdict::counted(7));
}

TEST(RedisFenceTest, WhatWasWrittenMeanwhileIsReadBeforeItIsReplaced) {
  const RedisServer redis;
  RunningStore first(redis.address());
  ASSERT_TRUE(first.wait_ready());
  EXPECT_EQ(first.write_record("one"), std::nullopt);
  RunningStore second(redis.address());
  ASSERT_TRUE(second.wait_ready());
  EXPECT_EQ(first.write_record("two"), std::nullopt);
  EXPECT_EQ(second.write_record("three"), domain::Failure::not_done);
  ASSERT_TRUE(second.wait_record("two"));
  EXPECT_EQ(second.write_record("three"), std::nullopt);
}

class RedisStoreChangeTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_->wait_ready()); }

  // Tracks a hit that comes when the connection was cut and the next one cannot greet yet.
  std::future<Verdict> track_while_held(const domain::TokenId& id) {
    link_.hold_all();
    link_.cut();
    for (const Deadline deadline; link_.accepted() < 2 && !deadline.passed();) {
      std::this_thread::sleep_for(1ms);
    }
    auto verdict = std::async(std::launch::async, [this, id] {
      const auto its = track_one(**store_, id, "/");
      answered_ = true;
      return its;
    });
    EXPECT_EQ(verdict.wait_for(100ms), std::future_status::timeout) << "it does not wait";
    return verdict;
  }

  RedisServer redis_;
  FaultyLink link_{redis_.endpoint()};
  CapturedLog log_;
  std::unique_ptr<RunningStore> store_ = std::make_unique<RunningStore>(link_.door().to_string());
  std::atomic<bool> answered_ = false;
};

TEST_F(RedisStoreChangeTest, WhatWaitedForAnotherStoreIsRefusedBeforeThatIsTold) {
  const auto id = new_token(**store_);
  auto verdict = track_while_held(id);
  redis_.command({"HSET", "tracker:store", "id", other_id});
  std::atomic<int> told = 0;
  std::atomic<bool> ready_when_told = true;
  const auto subscription = (*store_)->facts().subscribe([&](const auto& /*facts*/) {
    ++told;
    ready_when_told = store_->is_ready();
  });
  ready_when_told = true;
  link_.let_through();
  EXPECT_EQ(verdict.get(), Verdict::not_counted());
  ASSERT_TRUE(store_->wait_ready());
  EXPECT_EQ(told, 2);
  EXPECT_FALSE(ready_when_told);
  std::string now;
  domain::append_hex(store_->facts()->id, now);
  EXPECT_EQ(now, other_id);
  EXPECT_EQ(redis_.command({"HEXISTS", store::redis::redis_key(id), "/"}).integer, 0);
  EXPECT_EQ(track_one(**store_, id, "/"), Verdict::counted(1));
}

TEST_F(RedisStoreChangeTest, ARecordOfAnotherCounterIsAChange) {
  const auto id = new_token(**store_);
  auto verdict = track_while_held(id);
  redis_.command({"HSET", "tracker:store", "record", "of another"});
  link_.let_through();
  EXPECT_EQ(verdict.get(), Verdict::not_counted());
  ASSERT_TRUE(store_->wait_ready());
  EXPECT_EQ(store_->facts()->record, "of another");
}

TEST_F(RedisStoreChangeTest, ItsOwnRecordIsNoChange) {
  const auto id = new_token(**store_);
  EXPECT_EQ(store_->write_record("its own"), std::nullopt);
  auto verdict = track_while_held(id);
  link_.let_through();
  EXPECT_EQ(verdict.get(), Verdict::counted(1));
  EXPECT_EQ(store_->facts()->record, "its own");
}

TEST_F(RedisStoreChangeTest, ASearchWhoseConnectionIsLostIsNotDone) {
  for (int token = 0; token < 10; ++token) new_token(**store_);
  link_.hold_all();
  auto slots = store_->begin_to_find_slots();
  EXPECT_EQ(slots.wait_for(100ms), std::future_status::timeout);
  link_.cut();
  EXPECT_EQ(slots.get(), std::nullopt);
  link_.let_through();
}

// It may do all that counting took before there were facts.
TEST(RedisFactsAclTest, WhereRedisDoesNotTellItCountsAndSaysTheRemedyOnce) {
  const RedisServer redis;
  const auto allow = [&](const std::vector<std::string>& also) {
    Arguments command = {"ACL",   "SETUSER", "counter",     "on",       ">secret", "~tracker:*",
                         "-@all", "+hsetnx", "+hexists",    "+hincrby", "+eval",   "+evalsha",
                         "+del",  "+ping",   "+config|get", "+info"};
    command.insert(command.end(), also.begin(), also.end());
    EXPECT_EQ(redis.command(command).text, "OK");
  };
  allow({});
  CapturedLog log;
  {
    FaultyLink link(redis.endpoint());
    RunningStore store("redis://counter:secret@" + link.door().to_string());
    ASSERT_TRUE(store.wait_ready());
    EXPECT_EQ(store.facts(), std::nullopt);
    const auto id = new_token(*store);
    EXPECT_EQ(track_one(*store, id, "/"), Verdict::counted(1));
    EXPECT_EQ(store.write_record("a record"), domain::Failure::not_done);
    EXPECT_EQ(store.find_slots(), std::nullopt);
    EXPECT_EQ(track_one(*store, id, "/"), Verdict::counted(2));
    const auto connections = link.accepted();
    link.cut();
    for (const Deadline deadline; link.accepted() == connections && !deadline.passed();) {
      std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(track_one(*store, id, "/"), Verdict::counted(3));
  }
  const std::string text = log.text();
  const std::string said = "which store it is cannot be known: it says NOPERM";
  const auto at = text.find(said);
  ASSERT_NE(at, text.npos) << text;
  EXPECT_EQ(text.find(said, at + 1), text.npos) << text;
  EXPECT_THAT(text, HasSubstr("ACL SETUSER counter ~tracker:* "));
  EXPECT_THAT(text, HasSubstr(" +hset +hget +hmget +scan "));
  EXPECT_THAT(text, Not(HasSubstr("secret")));

  allow({"+hset", "+hget", "+hmget", "+scan"});
  RunningStore store("redis://counter:secret@" + redis.address());
  ASSERT_TRUE(store.wait_ready());
  EXPECT_TRUE(store.facts().has_value());
  EXPECT_EQ(store.write_record("a record"), std::nullopt);
  ASSERT_TRUE(store.find_slots().has_value());
  EXPECT_EQ(store.find_slots()->count(), 1U);
}

TEST(RedisFactsAclTest, ThroughAProxyNothingIsAsked) {
  const RedisServer redis;
  RunningStore store(redis.address(), true);
  ASSERT_TRUE(store.wait_ready());
  EXPECT_EQ(store.facts(), std::nullopt);
  EXPECT_EQ(store.write_record("a record"), domain::Failure::not_done);
  EXPECT_EQ(store.find_slots(), std::nullopt);
  EXPECT_EQ(redis.command({"DBSIZE"}).integer, 0);
}

TEST(RedisSlotsTest, AreThoseOfTheTokensWhileHitsAreCounted) {
  const RedisServer redis;
  RunningStore store(redis.address());
  ASSERT_TRUE(store.wait_ready());
  EXPECT_EQ(store.find_slots()->count(), 0U);
  domain::SlotSet expected;
  domain::TokenId id{};
  for (int token = 0; token < 5'000; ++token) {
    id = domain::token_id(domain::random_token());
    expected.set(domain::slot_of(id));
    redis.command({"HSETNX", store::redis::redis_key(id), "", "0"});
  }
  for (const char* key : {"tracker:{x}", "x", "tracker:{0123456789ABCDEF0123456789abcdef}"}) {
    redis.command({"SET", key, "x"});
  }
  auto slots = store.begin_to_find_slots();
  auto again = store.begin_to_find_slots();
  std::int64_t count = 0;
  while (again.wait_for(0ms) != std::future_status::ready) {
    EXPECT_EQ(track_one(*store, id, "/"), Verdict::counted(++count));
  }
  EXPECT_EQ(slots.get(), expected);
  EXPECT_EQ(again.get(), expected);
  EXPECT_GT(count, 1);
}

}  // namespace
}  // namespace tracker::tests
