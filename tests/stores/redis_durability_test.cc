// What the counter says about its Redis: what a crash loses, logged when it changes, and refused if it is more than
// --require-durability allows. Each test uses a real redis-server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "support/caller.h"
#include "support/deadline.h"
#include "support/fleet.h"
#include "support/health.h"
#include "support/redis_server.h"

namespace tracker::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

Service serve_over(const RedisServer& redis, const Arguments& more = {}, const std::string& login = "") {
  Arguments arguments{"serve",
                      "--store",
                      "redis",
                      "--envoy-addr",
                      "127.0.0.1:0",
                      "--health-addr",
                      "127.0.0.1:0",
                      "--redis-addr",
                      login.empty() ? redis.address() : "redis://" + login + "@" + redis.address()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return Service::start(arguments, "envoy");
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

void wait_log(Program& program, const std::string& part, std::size_t so_often = 1) {
  for (const Deadline deadline; times(program.standard_error(), part) < so_often;) {
    ASSERT_FALSE(deadline.passed()) << "never said: " << part << '\n' << program.standard_error();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void expect_refused(const Service& service, const std::string& reason) {
  EXPECT_THAT(wait_readyz(service.health, 503, reason), HasSubstr("--require-durability"));
  Caller caller(service.door);
  EXPECT_TRUE(is_refusal(caller.ask(get_without_token("/auth")), 503));
  EXPECT_TRUE(is_refusal(caller.ask(get("/", "00000000-0000-4000-8000-000000000000")), 503));
}

void expect_counts(const Service& service) {
  wait_readyz(service.health, 200);
  Caller caller(service.door);
  const std::string token = caller.mint();
  EXPECT_EQ(caller.count("/", token), 1);
  EXPECT_EQ(caller.count("/", token), 2);
}

struct Row {
  RedisServer::Keeps keeps;
  Arguments more;  // settings of redis-server
  std::string loses;
  std::string shortfall;  // empty: it keeps everything
};

const std::vector<Row>& rows() {
  using Keeps = RedisServer::Keeps;
  static const std::vector<Row> all{
      {Keeps::everything,
       {},
       "neither a crash of this Redis nor a power cut loses anything that was answered",
       ""},
      {Keeps::everything, {"--maxmemory", "100mb"}, "neither a crash of this Redis nor a power cut", ""},
      {Keeps::everything,
       {"--appendfsync", "everysec"},
       "a power cut about the last second",
       "appendfsync is everysec and must be always"},
      {Keeps::everything,
       {"--appendfsync", "no"},
       "a power cut what the system has not written yet, about the last 30 s",
       "appendfsync is no and must be always"},
      {Keeps::everything,
       {"--no-appendfsync-on-rewrite", "yes"},
       "while it rewrites its file",
       "no-appendfsync-on-rewrite is yes and must be no"},
      {Keeps::nothing,
       {},
       "a crash of this Redis loses all tokens and counts",
       "appendonly is no and must be yes"},
      {Keeps::nothing,
       {"--save", "900 1"},
       "a crash of this Redis loses all since its last snapshot (appendonly no, save 900 1",
       "appendonly is no and must be yes"},
      {Keeps::everything,
       {"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"},
       "whenever it is full it evicts tokens and their counts",
       "maxmemory-policy is allkeys-lru and must be noeviction"},
      {Keeps::everything,
       {"--maxmemory-policy", "allkeys-lru"},
       "with a maxmemory it would evict tokens and their counts",
       "maxmemory-policy is allkeys-lru and must be noeviction"},
      {Keeps::everything,
       {"--maxmemory-policy", "volatile-ttl"},
       "neither a crash of this Redis nor a power cut",
       "maxmemory-policy is volatile-ttl and must be noeviction"},
      {Keeps::nothing,
       {"--maxmemory-policy", "allkeys-lfu"},
       "a crash of this Redis loses all tokens and counts",
       "appendonly is no and must be yes, appendfsync is everysec and must be always, maxmemory-policy is "
       "allkeys-lfu and must be noeviction"},
  };
  return all;
}

TEST(RedisDurabilityTest, IsToldBeforeTheServiceListens) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.loses);
    const RedisServer redis(row.keeps, row.more);
    const Service service = serve_over(redis);
    const std::string log = service.program->standard_error();
    const std::string before = log.substr(0, log.find("listening"));
    EXPECT_THAT(before, HasSubstr("store=redis " + redis.address() + "/0: "));
    EXPECT_THAT(before, HasSubstr(row.loses));
    EXPECT_EQ(before.find(row.shortfall.empty() ? "info store=" : "warning store=") == before.npos, false)
        << before;
    expect_counts(service);
  }
}

TEST(RedisDurabilityTest, LessThanRequiredIsRefused) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.loses);
    const RedisServer redis(row.keeps, row.more);
    const Service service = serve_over(redis, {"--require-durability"});
    if (row.shortfall.empty()) {
      expect_counts(service);
    } else {
      EXPECT_EQ(ask_health(service.health, "/readyz").status, 503) << "at first it would have counted";
      expect_refused(service, row.shortfall);
      EXPECT_EQ(redis.command({"DBSIZE"}).integer, 0);
    }
    EXPECT_LE(times(service.program->standard_error(), "--require-durability"), 1u)
        << service.program->standard_error();
  }
}

TEST(RedisDurabilityTest, TheCounterRefusesToo) {
  const RedisServer redis;
  const Service counter =
      Service::start({"counter", "--counter-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0",
                      "--redis-addr", redis.address(), "--require-durability"},
                     "counter");
  EXPECT_THAT(wait_readyz(counter.health, 503, "--require-durability"), HasSubstr("appendonly is no"));
  const Service envoy = Service::start({"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr",
                                        "127.0.0.1:0", "--counter-addr", counter.door.to_string()},
                                       "envoy");
  expect_refused(envoy, "appendonly is no and must be yes");
}

// If the settings may not be asked for, the log says what INFO shows, and that the rest is unknown.
TEST(RedisDurabilityTest, WhatMayNotBeAskedIsNotKnown) {
  const struct {
    Arguments rights;
    std::vector<std::string> says;
  } users[] = {
      {{"+info"},
       {"what a power cut loses is not known: it says NOPERM", "appendonly yes",
        "maxmemory-policy noeviction"}},
      {{}, {"what a crash of this Redis loses is not known: it says NOPERM", "whether it may evict"}},
  };
  for (const auto& [rights, says] : users) {
    Arguments user{"--user",   "counter", "on",   ">secret", "~tracker:*", "+hexists",
                   "+hincrby", "+hsetnx", "+del", "+eval",   "+evalsha",   "+script|load"};
    user.insert(user.end(), rights.begin(), rights.end());
    const RedisServer redis(RedisServer::Keeps::everything, user);
    const Service service = serve_over(redis, {}, "counter:secret");
    for (const std::string& part : says) EXPECT_THAT(service.program->standard_error(), HasSubstr(part));
    expect_counts(service);
    expect_refused(serve_over(redis, {"--require-durability"}, "counter:secret"),
                   "appendfsync is not known and must be always");
  }
}

TEST(RedisDurabilityTest, RenamedConfigIsNotKnown) {
  const RedisServer redis(RedisServer::Keeps::everything, {"--rename-command", "CONFIG", ""});
  const Service service = serve_over(redis);
  EXPECT_THAT(service.program->standard_error(), HasSubstr("not known: it says ERR unknown command"));
  expect_counts(service);
}

TEST(RedisDurabilityTest, ThroughAProxyNothingIsAsked) {
  const RedisServer redis;
  redis.command({"CONFIG", "RESETSTAT"});
  const Service service = serve_over(redis, {"--redis-proxy"});
  EXPECT_THAT(service.program->standard_error(),
              HasSubstr("cannot be known, since a proxy stands before it"));
  expect_counts(service);
  const std::string asked = redis.command({"INFO", "commandstats"}).text;
  EXPECT_THAT(asked, HasSubstr("cmdstat_hsetnx"));
  EXPECT_THAT(asked, Not(HasSubstr("cmdstat_config|get")));
  EXPECT_THAT(asked, Not(HasSubstr("cmdstat_info")));
}

TEST(RedisDurabilityTest, WhatCannotBeRequiredIsABadSetting) {
  const std::vector<Arguments> contradictions{
      {"serve", "--store", "redis", "--redis-proxy", "--require-durability"},
      {"counter", "--redis-proxy", "--require-durability"},
      {"serve", "--store", "memory", "--require-durability"},
  };
  for (const Arguments& arguments : contradictions) {
    const Outcome outcome = run_to_end(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("--require-durability"));
    EXPECT_EQ(times(outcome.err, "\n"), 1u) << outcome.err;
  }
}

// A Redis that is not there yet is no error. What it loses is logged once, when it is reached.
TEST(RedisDurabilityTest, IsToldWhenRedisComesAndNotAtEachReconnect) {
  RedisServer redis(RedisServer::Keeps::everything);
  redis.kill();
  const Service service = serve_over(redis, {"--require-durability"});
  EXPECT_THAT(service.program->standard_error(), Not(HasSubstr("store=redis")));
  redis.start_again();
  wait_readyz(service.health, 200);
  wait_log(*service.program, "neither a crash of this Redis nor a power cut");
  for (std::size_t round = 2; round <= 4; ++round) {
    redis.command({"CLIENT", "KILL", "TYPE", "normal"});
    wait_log(*service.program, "is reachable", round);
  }
  expect_counts(service);
  EXPECT_EQ(times(service.program->standard_error(), "store=redis"), 1u) << service.program->standard_error();
}

// Redis comes back with other settings: it is refused before anything is counted on the new connection.
TEST(RedisDurabilityTest, IsAskedAgainOnEachConnection) {
  auto redis = std::make_unique<RedisServer>(RedisServer::Keeps::everything);
  const Service service = serve_over(*redis, {"--require-durability"});
  wait_readyz(service.health, 200);
  Caller caller(service.door);
  const std::string token = caller.mint();
  EXPECT_EQ(caller.count("/", token), 1);
  redis->kill();
  // Nothing is in flight, so from here on 503 is the only possible answer.
  wait_readyz(service.health, 503);
  redis->start_again({"--appendfsync", "everysec"});
  for (const Deadline deadline;
       ask_health(service.health, "/readyz").body.find("everysec") == std::string::npos;) {
    ASSERT_FALSE(deadline.passed());
    ASSERT_TRUE(is_refusal(caller.ask(get("/", token)), 503));
  }
  expect_refused(service, "appendfsync is everysec and must be always");
  wait_log(*service.program, "a power cut about the last second");
  redis->kill();
  redis->start_again();
  wait_readyz(service.health, 200);
  EXPECT_EQ(Caller(service.door).count("/", token), 2);
}

// CONFIG SET at run time is noticed on the same connection.
TEST(RedisDurabilityTest, IsFollowedWhileRedisRuns) {
  const RedisServer redis(RedisServer::Keeps::everything);
  const Service strict = serve_over(redis, {"--require-durability"});
  const Service lenient = serve_over(redis);
  const struct {
    const char* name;
    const char* worse;
    const char* better;
    const char* loses;
  } settings[] = {
      {"appendfsync", "everysec", "always", "a power cut about the last second"},
      {"maxmemory-policy", "allkeys-random", "noeviction", "with a maxmemory it would evict"},
      {"appendonly", "no", "yes", "loses all tokens and counts"},
  };
  std::size_t good = 1;
  for (const auto& [name, worse, better, loses] : settings) {
    SCOPED_TRACE(name);
    expect_counts(strict);
    ASSERT_EQ(redis.command({"CONFIG", "SET", name, worse}).text, "OK");
    expect_refused(strict, std::string(name) + " is " + worse + " and must be " + better);
    wait_log(*strict.program, loses);
    wait_log(*lenient.program, loses);
    expect_counts(lenient);
    ASSERT_EQ(redis.command({"CONFIG", "SET", name, better}).text, "OK");
    expect_counts(strict);
    wait_log(*lenient.program, "neither a crash", ++good);
  }
}

// The periodic questions also reveal a Redis that hangs when there is nothing to count.
TEST(RedisDurabilityTest, AnIdleRedisThatHangsIsNoticed) {
  RedisServer redis;
  const Service service = serve_over(redis);
  wait_readyz(service.health, 200);
  redis.send_signal(SIGSTOP);
  wait_readyz(service.health, 503, "it has not replied");
  redis.send_signal(SIGCONT);
  expect_counts(service);
}

// After Redis was told to append, its file is incomplete until the first rewrite is done. It is not trusted until then.
TEST(RedisDurabilityTest, AFileThatIsStillWrittenDoesNotCount) {
  const RedisServer redis(RedisServer::Keeps::nothing,
                          {"--appendfsync", "always", "--rdb-key-save-delay", "100000"});
  for (int key = 0; key < 30; ++key) redis.command({"SET", "key" + std::to_string(key), "x"});
  const Service service = serve_over(redis, {"--require-durability"});
  expect_refused(service, "appendonly is no");
  redis.command({"CONFIG", "SET", "appendonly", "yes"});
  expect_refused(service, "its append-only file may be incomplete until it has been rewritten");
  redis.command({"CONFIG", "SET", "rdb-key-save-delay", "0"});
  expect_counts(service);
}

// The same if Redis was told so before the service started.
TEST(RedisDurabilityTest, AFileThatIsStillWrittenAtTheStartDoesNotCount) {
  const RedisServer redis(RedisServer::Keeps::nothing,
                          {"--appendfsync", "always", "--rdb-key-save-delay", "1000000"});
  for (int key = 0; key < 30; ++key) redis.command({"SET", "key" + std::to_string(key), "x"});
  redis.command({"CONFIG", "SET", "appendonly", "yes"});
  const Service service = serve_over(redis, {"--require-durability"});
  expect_refused(service, "its append-only file may be incomplete until it has been rewritten");
  // The running rewrite keeps its delay and would take half a minute. Another one replaces it.
  redis.command({"CONFIG", "SET", "rdb-key-save-delay", "0"});
  redis.command({"CONFIG", "SET", "appendonly", "no"});
  redis.command({"CONFIG", "SET", "appendonly", "yes"});
  expect_counts(service);
}

}  // namespace
}  // namespace tracker::tests
