// A real nutcracker, with the configuration in packaging/, before three Redis.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "domain/token.h"
#include "domain/token_id.h"
#include "store/redis/redis_round.h"
#include "support/answer_checks.h"
#include "support/caller.h"
#include "support/exactness.h"
#include "support/faulty_link.h"
#include "support/health.h"
#include "support/nutcracker.h"
#include "support/partition.h"
#include "support/redis_server.h"
#include "support/steady_load.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSubsetOf;
using testing::Not;
using Tokens = std::vector<std::string>;

Tokens operator+(Tokens some, const Tokens& others) {
  some.insert(some.end(), others.begin(), others.end());
  return some;
}

// The statuses of one request for each token.
std::set<int> statuses_of(const Endpoint& envoy, const Tokens& tokens) {
  std::set<int> statuses;
  Caller caller(envoy);
  for (const auto& token : tokens) statuses.insert(caller.ask(get("/p", token)).status);
  return statuses;
}

void expect_exact(SteadyLoad& load) {
  const auto observations = load.stop();
  EXPECT_THAT(load.complaints(), IsEmpty());
  EXPECT_THAT(load.lost_tokens(), IsEmpty());
  EXPECT_THAT(exactness_violations(observations, load.read_stored()), IsEmpty());
}

void expect_undisturbed(const SteadyLoad& load) {
  EXPECT_EQ(load.seen(SteadyLoad::Kind::refused), 0U);
  EXPECT_EQ(load.seen(SteadyLoad::Kind::perhaps), 0U);
}

class RedisProxyTest : public testing::Test {
 protected:
  RedisProxyTest() {
    while (redis_.size() < Nutcracker::servers) redis_.emplace_back(RedisServer::Keeps::everything);
    for (const auto& redis : redis_) endpoints_.push_back(redis.endpoint());
    proxy_.emplace(endpoints_);
  }

  Service& start_counter(char name, const Arguments& flags = {}) {
    Arguments all{"--redis-proxy"};
    all.insert(all.end(), flags.begin(), flags.end());
    auto& counter = partition_.start_counter_on(name, proxy_->address(), all);
    wait_readyz(counter.health, 200);
    return counter;
  }

  // Starts a counter and an envoy.
  Service& start() {
    start_counter('a');
    auto& envoy = partition_.start_envoy("a");
    wait_all_ready(envoy.health);
    return envoy;
  }

  // Mints tokens until each Redis has so many, and returns them by Redis.
  std::array<Tokens, Nutcracker::servers> mint_for_each(const Endpoint& envoy, std::size_t tokens) {
    std::array<Tokens, Nutcracker::servers> by_redis;
    Caller caller(envoy);
    const auto lacks = [&](const Tokens& its) { return its.size() < tokens; };
    while (std::any_of(by_redis.begin(), by_redis.end(), lacks)) {
      const auto token = caller.mint();
      const auto key = store::redis::redis_key(domain::token_id(*domain::parse_token(token)));
      std::size_t holders = 0;
      for (std::size_t i = 0; i < redis_.size(); ++i) {
        if (redis_[i].command({"EXISTS", key}).integer == 0) continue;
        ++holders;
        if (lacks(by_redis[i])) by_redis[i].push_back(token);
      }
      EXPECT_EQ(holders, 1U);
    }
    return by_redis;
  }

  std::deque<RedisServer> redis_;
  std::vector<Endpoint> endpoints_;
  std::optional<Nutcracker> proxy_;
  Partition partition_{2};
};

// The commands that a Redis has executed.
std::set<std::string> commands_of(const RedisServer& redis) {
  std::set<std::string> commands;
  std::istringstream lines(redis.command({"INFO", "commandstats"}).text);
  const std::string begin = "cmdstat_";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(begin)) commands.insert(line.substr(begin.size(), line.find(':') - begin.size()));
  }
  return commands;
}

TEST_F(RedisProxyTest, CountsExactlyAndTheProxyClosesNothing) {
  FaultyLink link(proxy_->endpoint());
  partition_.start_counter_on('a', link.door().to_string(), {"--redis-proxy"});
  auto& envoy = partition_.start_envoy("a");
  wait_all_ready(envoy.health);
  for (const auto& redis : redis_) EXPECT_EQ(redis.command({"DBSIZE"}).integer, 0);

  const auto by_redis = mint_for_each(envoy.door, 10);
  {
    SteadyLoad load(envoy.door, by_redis[0] + by_redis[1] + by_redis[2], {"/a", "/b"});
    load.wait_for_more(SteadyLoad::Kind::counted, 500);
    for (const auto& redis : redis_) redis.command({"SCRIPT", "FLUSH"});
    load.wait_for_more(SteadyLoad::Kind::counted, 500);
    expect_exact(load);
    expect_undisturbed(load);
  }

  // One call that is longer than the buffers of nutcracker.
  constexpr std::size_t many = 20;
  Caller caller(envoy.door);
  std::string requests;
  for (std::size_t i = 0; i < many; ++i) {
    requests += get("/" + std::string(8'000, 'x') + std::to_string(i), by_redis[0][0]);
  }
  caller.client().send(requests);
  for (std::size_t i = 0; i < many; ++i) EXPECT_TRUE(is_count(caller.client().read_answer(), 1));

  std::this_thread::sleep_for(2'500ms);  // idle: two signs of life are due
  EXPECT_EQ(statuses_of(envoy.door, by_redis[0] + by_redis[1] + by_redis[2]), std::set{200});
  EXPECT_EQ(link.accepted(), 1U) << "the proxy has closed a connection";
  for (const auto& redis : redis_) {
    EXPECT_THAT(commands_of(redis),
                IsSubsetOf({"eval", "evalsha", "hexists", "hget", "hincrby", "hlen", "hset", "hsetnx",
                            // of this test
                            "dbsize", "exists", "info", "ping", "script|flush"}));
  }
}

TEST_F(RedisProxyTest, OneRedisOfThreeIsKilled) {
  auto& envoy = start();
  const auto by_redis = mint_for_each(envoy.door, 5);
  SteadyLoad others(envoy.door, by_redis[0] + by_redis[1], {"/a"}, 4);
  SteadyLoad own(envoy.door, by_redis[2], {"/a"}, 4);
  own.wait_for_more(SteadyLoad::Kind::counted, 50);
  redis_[2].kill();
  own.wait_for_more(SteadyLoad::Kind::perhaps, 20);
  others.wait_for_more(SteadyLoad::Kind::counted, 200);
  wait_all_ready(envoy.health);
  EXPECT_EQ(ask_health(partition_.counter('a').health, "/readyz").status, 200);
  redis_[2].start_again();
  own.wait_for_more(SteadyLoad::Kind::counted, 100);
  expect_exact(others);
  expect_undisturbed(others);
  expect_exact(own);
}

// The proxy keeps the order of replies, so the answers of the others are late.
TEST_F(RedisProxyTest, OneRedisOfThreeHangs) {
  auto& envoy = start();
  const auto by_redis = mint_for_each(envoy.door, 5);
  SteadyLoad others(envoy.door, by_redis[0] + by_redis[1], {"/a"}, 4);
  SteadyLoad own(envoy.door, by_redis[2], {"/a"}, 4);
  own.wait_for_more(SteadyLoad::Kind::counted, 50);
  redis_[2].send_signal(SIGSTOP);
  own.wait_for_more(SteadyLoad::Kind::perhaps, 20);
  others.wait_for_more(SteadyLoad::Kind::counted, 50);
  wait_all_ready(envoy.health);
  redis_[2].send_signal(SIGCONT);
  own.wait_for_more(SteadyLoad::Kind::counted, 100);
  expect_exact(others);
  expect_undisturbed(others);
  expect_exact(own);
}

TEST_F(RedisProxyTest, OneRedisOfThreeIsAReplica) {
  auto& envoy = start();
  const auto by_redis = mint_for_each(envoy.door, 5);
  redis_[1].command({"REPLICAOF", "127.0.0.1", "1"});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(statuses_of(envoy.door, by_redis[1]), std::set{503});
    EXPECT_EQ(statuses_of(envoy.door, by_redis[0] + by_redis[2]), std::set{200});
  }
  wait_all_ready(envoy.health);
  EXPECT_THAT(partition_.counter('a').program->standard_error(), HasSubstr("not counted: tracker:{"));
  redis_[1].command({"REPLICAOF", "NO", "ONE"});
  EXPECT_EQ(statuses_of(envoy.door, by_redis[0] + by_redis[1] + by_redis[2]), std::set{200});
}

TEST_F(RedisProxyTest, TheProxyIsKilled) {
  auto& envoy = start();
  const auto by_redis = mint_for_each(envoy.door, 3);
  SteadyLoad load(envoy.door, by_redis[0] + by_redis[1] + by_redis[2], {"/a"}, 4);
  load.wait_for_more(SteadyLoad::Kind::counted, 50);
  proxy_->program().send_signal(SIGKILL);
  ASSERT_TRUE(proxy_->program().wait_exit());
  wait_readyz(envoy.health, 503, "Redis at");
  proxy_->launch();
  load.wait_for_more(SteadyLoad::Kind::counted, 50);
  wait_all_ready(envoy.health);
  expect_exact(load);
}

TEST_F(RedisProxyTest, CountersWithOneStoreNameStandInForEachOther) {
  start_counter('a', {"--store-name", "shop"});
  start_counter('b', {"--store-name", "shop"});
  auto& envoy = partition_.start_envoy("ab", {"--threads", "1"});
  wait_all_ready(envoy.health);
  const auto by_redis = mint_for_each(envoy.door, 5);
  const auto tokens = by_redis[0] + by_redis[1] + by_redis[2];
  EXPECT_TRUE(is_refusal(Caller(envoy.door).ask(get("/p", "01234567-89ab-4cde-8f01-23456789abcd")), 401));
  SteadyLoad load(envoy.door, tokens, {"/a"}, 4);
  load.wait_for_more(SteadyLoad::Kind::counted, 50);
  for (const char name : {'a', 'b'}) {
    partition_.kill_counter(name);
    wait_readyz(envoy.health, 200, std::string("counter ") + name + " at");
    EXPECT_EQ(statuses_of(envoy.door, tokens), std::set{200});
    start_counter(name, {"--store-name", "shop"});
    wait_all_ready(envoy.health);
  }
  expect_exact(load);
}

TEST_F(RedisProxyTest, CountersWithoutOneStoreNameAreRefusedWhole) {
  Tokens tokens;
  const auto expect_refused = [&](const Arguments& a, const Arguments& b, const std::string& why) {
    SCOPED_TRACE(why);
    start_counter('a', a);
    auto& alone = partition_.start_envoy("a");
    wait_all_ready(alone.health);
    for (int i = 0; i < 5; ++i) tokens.push_back(Caller(alone.door).mint());
    start_counter('b', b);
    auto& envoy = partition_.start_envoy("ab", {"--threads", "1"});
    wait_readyz(envoy.health, 503, why);
    EXPECT_EQ(statuses_of(envoy.door, tokens), std::set{503});
    EXPECT_EQ(statuses_of(envoy.door, {"01234567-89ab-4cde-8f01-23456789abcd"}), std::set{503});
    for (const char name : {'a', 'b'}) partition_.kill_counter(name);
  };
  expect_refused({}, {}, "with the same --store-name if they share one --redis-proxy");
  expect_refused({"--store-name", "shop"}, {}, "are not known to share one Redis");
  expect_refused({"--store-name", "shop"}, {"--store-name", "shops"}, "count in different stores");
}

TEST(RedisProxyStartTest, WhatNoProxyPassesOnIsABadSetting) {
  struct Mistake {
    Arguments flags;
    std::vector<std::string> said;
  };
  const std::vector<Mistake> mistakes{
      {{"--redis-proxy", "--peers", "a=127.0.0.1:1,b=127.0.0.1:2", "--name", "a"},
       {"--redis-proxy: ", "--peers (or --counters-file)", "one --store-name"}},
      {{"--redis-proxy", "--counters-file", "/nowhere"}, {"--redis-proxy: ", "--counters-file"}},
      {{"--redis-proxy", "--peers", "lookup://127.0.0.1:1"}, {"--redis-proxy: ", "--peers"}},
      {{"--redis-proxy", "--redis-addr", "redis://:secret@127.0.0.1:1"}, {"AUTH", "host:port of the proxy"}},
      {{"--redis-proxy", "--redis-addr", "redis://user@127.0.0.1:1"}, {"AUTH", "host:port of the proxy"}},
      {{"--redis-proxy", "--redis-addr", "redis://127.0.0.1:1/2"}, {"SELECT", "host:port of the proxy"}},
      {{"--redis-proxy", "--redis-replicas", "1"},
       {"--redis-replicas: it takes effect only with --store redis or redis-cluster, and without "
        "--redis-proxy"}},
      {{"--redis-proxy", "--redis-password-file", "/nowhere"},
       {"--redis-password-file: it takes effect only with --store redis or redis-cluster, and without "
        "--redis-proxy"}},
      {{"--store-name", "shop"}, {"--store-name: it takes effect only with --redis-proxy"}},
      {{"--redis-proxy", "--store-name", "the shop"}, {"--store-name", "1 to 64 letters"}},
      {{"--redis-proxy", "--store-name", std::string(65, 'x')}, {"--store-name", "1 to 64 letters"}},
  };
  for (const auto& [flags, said] : mistakes) {
    Arguments arguments{"counter"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const auto outcome = run_to_end(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    for (const auto& words : said) EXPECT_THAT(outcome.err, HasSubstr(words));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_THAT(outcome.err, Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace tracker::tests
