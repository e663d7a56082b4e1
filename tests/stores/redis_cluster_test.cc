// The cluster store with a real Redis Cluster: slots that move, masters that fail, and what is refused meanwhile.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "domain/slot.h"
#include "domain/token.h"
#include "runtime/workers.h"
#include "store/redis/cluster_store.h"
#include "store/redis/redis_keys.h"
#include "store/redis/redis_round.h"
#include "store/token_rules.h"
#include "support/blocking_store.h"
#include "support/caller.h"
#include "support/deadline.h"
#include "support/health.h"
#include "support/partition.h"
#include "support/redis_cluster.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using domain::TokenId;
using domain::Verdict;
using store::redis::ClusterStore;
using testing::HasSubstr;
using Kind = Verdict::Kind;

class RunningCluster {
 public:
  explicit RunningCluster(const std::vector<runtime::Address>& nodes, std::size_t replicas = 0)
      : store_(loop_.context(0), {.redis = {}, .reply_deadline = 2'000ms, .replicas = replicas}, nodes) {
    loop_.start();
  }
  ~RunningCluster() { loop_.stop(); }

  ClusterStore& operator*() { return store_; }
  ClusterStore* operator->() { return &store_; }

  // Whether it becomes ready, with this many masters that do not count.
  bool wait_ready(std::size_t remarks = 0) const {
    for (const Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(1ms)) {
      const auto readiness = store_.readiness().value();
      if (readiness.is_ready() && readiness.remarks().size() == remarks) return true;
    }
    const auto readiness = store_.readiness().value();
    ADD_FAILURE() << readiness.why_not() << testing::PrintToString(readiness.remarks());
    return false;
  }

 private:
  runtime::Workers loop_{1};
  ClusterStore store_;
};

runtime::Address address_of(const RedisServer& server) {
  return {server.endpoint().host, server.endpoint().port};
}

TokenId token_in(domain::Slot slot) {
  while (true) {
    const auto id = domain::token_id(domain::random_token());
    if (domain::slot_of(id) == slot) return id;
  }
}

bool add(ClusterStore& store, const TokenId& id) {
  Added added;
  store.add_token(id, {.minted_s = store::system_seconds()}, std::chrono::steady_clock::now() + 2s, added);
  return added.wait();
}

// One hit with a deadline.
Verdict hit(ClusterStore& store, const TokenId& id) {
  domain::HitBatch hits;
  hits.push(id, "/p");
  hits.set_deadline(std::chrono::steady_clock::now() + 1s);
  Verdicts verdicts(1);
  store.track(hits, verdicts);
  return verdicts.wait().front();
}

// The same, again and again while it is certainly not counted: a node that has just changed refuses at first.
Verdict hit_when_possible(ClusterStore& store, const TokenId& id) {
  auto verdict = hit(store, id);
  for (const Deadline deadline; verdict == Verdict::not_counted() && !deadline.passed();)
    verdict = hit(store, id);
  return verdict;
}

TEST(RedisClusterTest, ABatchIsDividedAmongTheMasters) {
  RedisCluster cluster(3);
  RunningCluster store({address_of(cluster.node(1))});
  ASSERT_TRUE(store.wait_ready());
  std::vector<TokenId> ids;
  for (int i = 0; i < 60; ++i) ids.push_back(new_token(*store));
  for (std::int64_t round = 0; round < 3; ++round) {
    domain::HitBatch hits;
    for (const auto& id : ids) {
      hits.push(id, "/p");
      hits.push(id, "/p");
    }
    hits.push(token_in(7), "/p");
    Verdicts verdicts(hits.size());
    store->track(hits, verdicts);
    const auto all = verdicts.wait();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      EXPECT_EQ(all[2 * i], Verdict::counted(2 * round + 1));
      EXPECT_EQ(all[2 * i + 1], Verdict::counted(2 * round + 2));
    }
    EXPECT_EQ(all.back(), Verdict::unknown_token());
  }
  for (std::size_t i = 0; i < 3; ++i) EXPECT_GT(cluster.node(i).command({"DBSIZE"}).integer, 5);
  const auto facts = store->facts().value();
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->masters, (std::set<std::string>{cluster.id(0), cluster.id(1), cluster.id(2)}));
}

// Each slot goes there and back while its tokens are counted. Nothing is lost or doubled, and nothing is in doubt.
TEST(RedisClusterTest, SlotsMoveUnderLoad) {
  RedisCluster cluster(3);
  RunningCluster store({address_of(cluster.node(0))});
  ASSERT_TRUE(store.wait_ready());
  const std::vector<domain::Slot> slots{5, 6, 7};  // of the first master
  std::vector<TokenId> ids;
  for (const auto slot : slots) {
    for (int i = 0; i < 4; ++i) {
      ids.push_back(token_in(slot));
      ASSERT_TRUE(add(*store, ids.back()));
    }
  }
  std::map<Kind, int> kinds;
  std::vector<std::int64_t> counts(ids.size());
  std::jthread load([&](const std::stop_token& end) {
    while (!end.stop_requested()) {
      domain::HitBatch hits;
      for (const auto& id : ids) hits.push(id, "/p");
      hits.set_deadline(std::chrono::steady_clock::now() + 2s);
      Verdicts verdicts(hits.size());
      store->track(hits, verdicts);
      const auto all = verdicts.wait();
      for (std::size_t i = 0; i < ids.size(); ++i) {
        ++kinds[all[i].kind];
        if (all[i].kind != Kind::counted) continue;
        EXPECT_EQ(all[i].count, ++counts[i]);
      }
    }
  });
  std::vector<TokenId> minted;
  cluster.add_master();
  for (const auto& [from, to] : {std::pair{0, 1}, {1, 3}, {3, 0}}) {
    for (const auto slot : slots) {
      cluster.begin_move(slot, static_cast<std::size_t>(from), static_cast<std::size_t>(to));
      minted.push_back(token_in(slot));
      EXPECT_TRUE(add(*store, minted.back())) << "while the slot moves";
      std::this_thread::sleep_for(20ms);
      cluster.move_keys(slot, static_cast<std::size_t>(from), static_cast<std::size_t>(to));
      cluster.end_move(slot, static_cast<std::size_t>(from), static_cast<std::size_t>(to));
    }
  }
  load.request_stop();
  load.join();
  EXPECT_GT(kinds[Kind::counted], 1'000);
  EXPECT_EQ(kinds[Kind::perhaps_counted], 0);
  EXPECT_EQ(kinds[Kind::unknown_token], 0);
  for (std::size_t i = 0; i < ids.size(); ++i)
    EXPECT_EQ(hit(*store, ids[i]), Verdict::counted(counts[i] + 1));
  for (const auto& id : minted) EXPECT_EQ(hit(*store, id), Verdict::counted(1));
}

// While a slot moves, its mark is at one of two nodes. Wherever it is, no token of the slot is said to be unknown, and none is
// minted.
TEST(RedisClusterTest, AMarkIsFoundWhileItsSlotMoves) {
  RedisCluster cluster(3);
  RunningCluster store({address_of(cluster.node(0))});
  ASSERT_TRUE(store.wait_ready());
  const domain::Slot marked = 5;  // both of the first master
  const domain::Slot free = 6;
  const auto mark = store::redis::mark_key(marked);
  const auto known = token_in(marked);
  ASSERT_TRUE(add(*store, known));
  const auto expect_held = [&](const std::string& when) {
    EXPECT_EQ(hit(*store, token_in(marked)), Verdict::not_counted()) << when;
    const auto minted = token_in(marked);
    EXPECT_FALSE(add(*store, minted)) << when;
    for (const std::size_t node : {0U, 1U}) {
      const auto reply = cluster.node(node).command({"EXISTS", store::redis::redis_key(minted)});
      EXPECT_NE(reply.integer, 1) << when;
    }
    EXPECT_EQ(hit(*store, token_in(free)), Verdict::unknown_token()) << when;
    EXPECT_TRUE(add(*store, token_in(free))) << when;
  };
  const std::string text = "h 000102030405060708090a0b0c0d0e0f";
  cluster.node(0).command({"HSET", mark, "marked", text, "holds", text});
  expect_held("at rest");
  for (const auto slot : {marked, free}) cluster.begin_move(slot, 0, 1);
  expect_held("the mark is at the node that gives the slot");
  cluster.migrate({store::redis::redis_key(known)}, 0, 1);
  EXPECT_EQ(hit_when_possible(*store, known), Verdict::counted(1)) << "not read for the export yet";
  cluster.migrate({mark}, 0, 1);
  expect_held("the mark is at the node that takes the slot");
  for (const auto slot : {marked, free}) {
    cluster.move_keys(slot, 0, 1);
    cluster.end_move(slot, 0, 1);
  }
  EXPECT_EQ(hit_when_possible(*store, known), Verdict::counted(2));
  expect_held("the slot has moved");
}

TEST(RedisClusterTest, AMasterThatIsGoneRefusesItsSlotsOnly) {
  RedisCluster cluster(3, 0, RedisServer::Keeps::everything, {"--cluster-require-full-coverage", "no"});
  RunningCluster store({address_of(cluster.node(0)), address_of(cluster.node(1))});
  ASSERT_TRUE(store.wait_ready());
  const auto here = token_in(0);
  const auto there = token_in(16'000);
  ASSERT_TRUE(add(*store, here) && add(*store, there));
  EXPECT_EQ(hit(*store, here), Verdict::counted(1));
  EXPECT_EQ(hit(*store, there), Verdict::counted(1));
  cluster.node(2).kill();
  ASSERT_TRUE(store.wait_ready(1));
  EXPECT_EQ(hit(*store, there), Verdict::not_counted());
  EXPECT_EQ(hit(*store, here), Verdict::counted(2));
  cluster.node(2).start_again();
  ASSERT_TRUE(store.wait_ready());
  EXPECT_EQ(hit_when_possible(*store, there), Verdict::counted(2));
}

// A master that comes back after its replica was promoted still believes in itself for a moment.
TEST(RedisClusterTest, AMasterThatWasPausedAndReplacedDoesNotCount) {
  RedisCluster cluster(3, 3);
  RunningCluster store({address_of(cluster.node(1))});
  ASSERT_TRUE(store.wait_ready());
  const auto id = token_in(0);
  ASSERT_TRUE(add(*store, id));
  ASSERT_EQ(hit(*store, id), Verdict::counted(1));
  wait_received(cluster.node(3), cluster.node(0));
  cluster.node(0).send_signal(SIGSTOP);
  std::int64_t count = 1;
  for (const Deadline deadline; !deadline.passed();) {
    const auto verdict = hit(*store, id);
    if (verdict.kind != Kind::counted) {
      std::this_thread::sleep_for(10ms);
      continue;
    }
    count = verdict.count;
    break;
  }
  EXPECT_EQ(count, 2) << "at the replica";
  cluster.node(0).send_signal(SIGCONT);
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(hit(*store, id), Verdict::counted(++count));
    std::this_thread::sleep_for(2ms);
  }
  ASSERT_TRUE(store.wait_ready());
}

// With WAIT, the replica has whatever was answered when its master dies.
TEST(RedisClusterTest, WhatAReplicaHasReceivedSurvivesItsMaster) {
  RedisCluster cluster(3, 3);
  RunningCluster store({address_of(cluster.node(0)), address_of(cluster.node(1))}, 1);
  ASSERT_TRUE(store.wait_ready());
  std::vector<TokenId> ids;
  for (int i = 0; i < 8; ++i) {
    ids.push_back(token_in(static_cast<domain::Slot>(i)));
    ASSERT_TRUE(add(*store, ids.back()));
  }
  std::vector<std::int64_t> answered(ids.size());
  std::vector<std::int64_t> sent(ids.size());
  std::jthread load([&](const std::stop_token& end) {
    while (!end.stop_requested()) {
      domain::HitBatch hits;
      for (const auto& id : ids) hits.push(id, "/p");
      hits.set_deadline(std::chrono::steady_clock::now() + 1s);
      Verdicts verdicts(hits.size());
      store->track(hits, verdicts);
      const auto all = verdicts.wait();
      for (std::size_t i = 0; i < ids.size(); ++i) {
        EXPECT_NE(all[i].kind, Kind::unknown_token);
        if (all[i].kind != Kind::not_counted) ++sent[i];
        if (all[i].kind != Kind::counted) continue;
        EXPECT_GT(all[i].count, answered[i]);
        answered[i] = all[i].count;
      }
    }
  });
  std::this_thread::sleep_for(200ms);
  cluster.node(0).kill();
  for (const Deadline deadline;
       cluster.port_of(0, 1) == cluster.node(0).endpoint().port && !deadline.passed();)
    std::this_thread::sleep_for(10ms);
  load.request_stop();
  load.join();
  // The promoted replica has none of its own, so this store refuses what belongs to it.
  EXPECT_EQ(hit(*store, ids.front()), Verdict::not_counted());
  RunningCluster without({address_of(cluster.node(1))});
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto verdict = hit_when_possible(*without, ids[i]);
    ASSERT_EQ(verdict.kind, Kind::counted);
    EXPECT_GT(verdict.count, answered[i]);
    EXPECT_LE(verdict.count, sent[i] + 1);
  }
}

// They count in one store, of which each knows the masters.
TEST(RedisClusterTest, TheCountersOfOneClusterStandInForEachOther) {
  const RedisCluster cluster(3);
  Partition partition(2);
  const auto start = [&](char name) {
    partition.start_counter_on(name, cluster.addresses(), {"--store", "redis-cluster"});
    wait_all_ready(partition.counter(name).health);  // each master, and not only one
  };
  start('a');
  start('b');
  auto& envoy = partition.start_envoy("ab", {"--threads", "1"});
  wait_all_ready(envoy.health);
  Caller caller(envoy.door);
  std::vector<std::string> tokens;
  for (int i = 0; i < 30; ++i) tokens.push_back(caller.mint());
  const auto expect_all = [&](std::int64_t count) {
    for (const auto& token : tokens) EXPECT_EQ(caller.count("/p", token), count);
  };
  expect_all(1);
  partition.kill_counter('a');
  wait_readyz(envoy.health, 200, "counter a at");
  expect_all(2);
  start('a');
  wait_all_ready(envoy.health);
  expect_all(3);
  EXPECT_TRUE(is_refusal(caller.ask(get("/p", "01234567-89ab-4cde-8f01-23456789abcd")), 401));
}

TEST(RedisClusterTest, WhereNoNodeIsThereItSaysSo) {
  RunningCluster store({{"127.0.0.1", 1}, {"127.0.0.1", 2}});
  for (const Deadline deadline;
       store->readiness().value().why_not().find("refused") == std::string::npos && !deadline.passed();) {
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_THAT(store->readiness().value().why_not(),
              HasSubstr("no node of the Redis Cluster has told which masters there are; "));
  EXPECT_EQ(hit(*store, token_in(1)), Verdict::not_counted());
}

}  // namespace
}  // namespace tracker::tests
