// The Redis store with a real redis-server: how it logs in, what it writes, and that trouble in Redis affects only the
// hits that it concerns.

#include "store/redis/redis_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "domain/token.h"
#include "runtime/workers.h"
#include "store/redis/redis_pipeline.h"
#include "store/token_rules.h"
#include "support/caller.h"
#include "support/captured_log.h"
#include "support/deadline.h"
#include "support/faulty_link.h"
#include "support/fleet.h"
#include "support/redis_server.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using domain::HitBatch;
using domain::TokenId;
using domain::Verdict;
using testing::HasSubstr;
using testing::Not;

constexpr auto reply_deadline = 1'000ms;

// Calls a store and waits for the answers.
class StoreCaller {
 public:
  explicit StoreCaller(const std::string& address, bool proxy = false)
      : store_(loop_.context(0), {.redis = store::redis::parse_redis_address(address),
                                  .reply_deadline = reply_deadline,
                                  .proxy = proxy}) {
    loop_.start();
  }
  ~StoreCaller() { loop_.stop(); }

  // Returns why it is not ready now, or nothing if it is ready.
  std::optional<std::string> why_not_now() const {
    const auto readiness = store_.readiness().value();
    return readiness.is_ready() ? std::nullopt : std::optional(readiness.why_not());
  }

  // Returns why it is not ready after it has connected or failed to connect, or nothing if it is ready.
  std::optional<std::string> why_not_ready() const {
    for (const Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(1ms)) {
      auto why_not = why_not_now();
      if (!why_not || why_not->find("not reachable yet") == std::string::npos) return why_not;
    }
    return "still not reachable";
  }

  // Waits until it is not ready and returns why, or until it is ready.
  std::string wait_not_ready() const {
    for (const Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(1ms)) {
      if (const auto why_not = why_not_now()) return *why_not;
    }
    return "it stays ready";
  }
  bool is_refusing() const { return why_not_now().has_value(); }
  bool wait_ready() const {
    for (const Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(1ms)) {
      if (!why_not_now()) return true;
    }
    return false;
  }

  TokenId new_token() {
    const TokenId id = domain::token_id(domain::random_token());
    EXPECT_EQ(add(id), std::nullopt);
    return id;
  }

  std::optional<domain::Failure> add(const TokenId& id) {
    struct Reply final : store::AddReply {
      void on_added(domain::Result<void> added) override {
        outcome.set_value(added ? std::nullopt : std::optional(added.error()));
      }
      std::promise<std::optional<domain::Failure>> outcome;
    } reply;
    store_.add_token(id, {.minted_s = store::system_seconds()}, domain::Deadline::max(), reply);
    return reply.outcome.get_future().get();
  }

  std::vector<Verdict> track(const HitBatch& hits) {
    struct Reply final : store::TrackReply {
      explicit Reply(std::size_t size) : verdicts(size), left(size) {}
      void on_verdicts(std::span<const domain::HitVerdict> its) override {
        for (const auto& [hit, verdict] : its) verdicts.at(hit) = verdict;
        left -= its.size();
        if (left == 0) all.set_value();
      }
      std::vector<Verdict> verdicts;
      std::size_t left;
      std::promise<void> all;
    } reply(hits.size());
    store_.track(hits, reply);
    reply.all.get_future().get();
    return reply.verdicts;
  }

  Verdict track(const TokenId& id, const std::string& path) {
    HitBatch hits;
    hits.push(id, path);
    return track(hits).front();
  }

 private:
  runtime::Workers loop_{1};
  store::redis::RedisStore store_;
};

std::string key_of(const TokenId& id) {
  return "tracker:{" + to_string(id) + "}";
}

void expect_counts(const std::string& address) {
  StoreCaller store(address);
  ASSERT_EQ(store.why_not_ready(), std::nullopt);
  const TokenId id = store.new_token();
  EXPECT_EQ(store.track(id, "/"), Verdict::counted(1));
  EXPECT_EQ(store.track(id, "/"), Verdict::counted(2));
}

TEST(RedisLoginTest, Password) {
  const RedisServer redis(RedisServer::Keeps::nothing, {}, "p@ss:w/ord");
  expect_counts("redis://:p%40ss%3Aw%2Ford@" + redis.address());
  expect_counts("redis://default:p%40ss%3Aw%2Ford@" + redis.address());
}

TEST(RedisLoginTest, User) {
  const RedisServer redis(RedisServer::Keeps::nothing,
                          {"--user", "counter", "on", ">secret", "~tracker:*", "+hexists", "+hincrby",
                           "+hsetnx", "+eval", "+evalsha", "+script|load", "+select", "+ping"});
  expect_counts("redis://counter:secret@" + redis.address());
}

TEST(RedisLoginTest, Database) {
  const RedisServer redis;
  expect_counts("redis://" + redis.address() + "/3");
  const std::string keyspace = redis.command({"INFO", "keyspace"}).text;
  EXPECT_THAT(keyspace, HasSubstr("db3:keys=2,"));
  EXPECT_THAT(keyspace, Not(HasSubstr("db0:")));
}

TEST(RedisLoginTest, WrongPasswordIsNotReadyAndSaysWhy) {
  const RedisServer redis(RedisServer::Keeps::nothing, {}, "right-secret");
  for (const auto& [login, reason] :
       std::vector<std::pair<std::string, std::string>>{{"redis://:wrong-secret@", "WRONGPASS"},
                                                        {"redis://me:wrong-secret@", "WRONGPASS"},
                                                        {"", "NOAUTH"}}) {
    CapturedLog log;
    {
      StoreCaller store(login + redis.address());
      const std::string why_not = store.why_not_ready().value_or("it is ready");
      EXPECT_THAT(why_not, HasSubstr(reason));
      EXPECT_THAT(why_not, HasSubstr(redis.address()));
      EXPECT_THAT(why_not, HasSubstr("--redis-addr (REDIS_ADDR)"));
      EXPECT_THAT(why_not, Not(HasSubstr("secret")));
      const TokenId id = domain::token_id(domain::random_token());
      EXPECT_EQ(store.add(id), domain::Failure::not_done);
      EXPECT_EQ(store.track(id, "/"), Verdict::not_counted());
    }
    EXPECT_THAT(log.text(), HasSubstr(reason));
    EXPECT_THAT(log.text(), Not(HasSubstr("secret")));
  }
}

TEST(RedisLoginTest, DatabaseThatIsNotThereIsNotReadyAndSaysWhy) {
  const RedisServer redis;
  StoreCaller store("redis://" + redis.address() + "/99");
  EXPECT_THAT(store.why_not_ready().value_or("it is ready"), HasSubstr("DB index is out of range"));
}

// A Redis without AUTH under that name repeats what it was sent.
TEST(RedisLoginTest, PasswordIsNotPrintedWhereRedisRepeatsIt) {
  const RedisServer redis(RedisServer::Keeps::nothing, {"--rename-command", "AUTH", ""});
  CapturedLog log;
  {
    StoreCaller store("redis://:some-secret@" + redis.address());
    EXPECT_THAT(store.why_not_ready().value_or("it is ready"), HasSubstr("it knows no login"));
  }
  EXPECT_THAT(log.text(), Not(HasSubstr("secret")));
}

// A peer that is not Redis must not be taken for one.
TEST(RedisLoginTest, StrangerIsNotReady) {
  const Service stranger = Service::start(
      {"serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0"}, "envoy");
  StoreCaller store(stranger.door.to_string());
  const std::string why_not = store.why_not_ready().value_or("it is ready");
  EXPECT_THAT(why_not, HasSubstr(stranger.door.to_string()));
  EXPECT_THAT(why_not,
              HasSubstr("does not speak Redis' protocol but HTTP; --redis-addr (REDIS_ADDR) must name"));
  EXPECT_EQ(store.track(domain::token_id(domain::random_token()), "/"), Verdict::not_counted());
}

class RedisTroubleTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(store_->why_not_ready(), std::nullopt); }

  RedisServer redis_;
  CapturedLog log_;
  std::unique_ptr<StoreCaller> store_ = std::make_unique<StoreCaller>(redis_.address());
};

TEST_F(RedisTroubleTest, WrongTypedKeyFailsItsOwnTokensHits) {
  std::vector<TokenId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(store_->new_token());
  ASSERT_EQ(redis_.command({"SET", key_of(ids[1]), "x"}).text, "OK");
  HitBatch hits;
  for (int round = 0; round < 2; ++round) {
    for (const TokenId& id : ids) hits.push(id, "/a");
    for (const TokenId& id : ids) hits.push(id, "/b");
  }
  for (int batch = 0; batch < 2; ++batch) {
    const auto verdicts = store_->track(hits);
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
      const auto count = batch * 2 + static_cast<std::int64_t>(i / 6) + 1;
      EXPECT_EQ(verdicts[i], i % 3 == 1 ? Verdict::not_counted() : Verdict::counted(count)) << i;
    }
  }
  EXPECT_EQ(redis_.command({"GET", key_of(ids[1])}).text, "x");
  EXPECT_EQ(store_->why_not_ready(), std::nullopt);
  store_.reset();
  EXPECT_THAT(log_.text(), HasSubstr(key_of(ids[1])));
  EXPECT_THAT(log_.text(), Not(HasSubstr(key_of(ids[0]))));
}

TEST_F(RedisTroubleTest, WrongTypedKeyCannotBeMinted) {
  const TokenId id = domain::token_id(domain::random_token());
  ASSERT_EQ(redis_.command({"SET", key_of(id), "x"}).text, "OK");
  EXPECT_EQ(store_->add(id), domain::Failure::not_done);
  EXPECT_EQ(store_->track(store_->new_token(), "/"), Verdict::counted(1));
  store_.reset();
  EXPECT_THAT(log_.text(), HasSubstr(key_of(id)));
}

TEST_F(RedisTroubleTest, FieldThatIsNoNumberFailsItsOwnPath) {
  const TokenId id = store_->new_token();
  const TokenId other = store_->new_token();
  redis_.command({"HSET", key_of(id), "/bad", "x", "/full", "9223372036854775807"});
  HitBatch hits;
  for (const char* path : {"/a", "/bad", "/full", "/a", "/bad", "/z"}) hits.push(id, path);
  hits.push(other, "/bad");
  EXPECT_EQ(
      store_->track(hits),
      (std::vector{Verdict::counted(1), Verdict::not_counted(), Verdict::not_counted(), Verdict::counted(2),
                   Verdict::not_counted(), Verdict::counted(1), Verdict::counted(1)}));
  EXPECT_EQ(redis_.command({"HGET", key_of(id), "/bad"}).text, "x");
  EXPECT_EQ(redis_.command({"HGET", key_of(id), "/full"}).text, "9223372036854775807");
  store_.reset();
  EXPECT_THAT(log_.text(), HasSubstr(key_of(id)));
}

TEST_F(RedisTroubleTest, DeletedTokenIsUnknownAndStaysSo) {
  const TokenId id = store_->new_token();
  EXPECT_EQ(store_->track(id, "/"), Verdict::counted(1));
  redis_.command({"DEL", key_of(id)});
  EXPECT_EQ(store_->track(id, "/"), Verdict::unknown_token());
  EXPECT_EQ(redis_.command({"EXISTS", key_of(id)}).integer, 0);
}

// A Redis that cannot write any more (its disk or memory is full, or it became a replica) counts nothing, and the store
// says so of each hit.
TEST_F(RedisTroubleTest, FullRedisCountsNothing) {
  const TokenId id = store_->new_token();
  redis_.command({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_EQ(store_->track(id, "/"), Verdict::not_counted());
  EXPECT_EQ(store_->add(domain::token_id(domain::random_token())), domain::Failure::not_done);
  EXPECT_THAT(store_->why_not_ready().value_or("it is ready"), HasSubstr("OOM"));
  redis_.command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_TRUE(store_->wait_ready());
  EXPECT_EQ(store_->track(id, "/"), Verdict::counted(1));
}

TEST_F(RedisTroubleTest, FlushedScriptsAreSentAgainAndCountOnce) {
  constexpr std::int64_t clients = 4;
  constexpr std::int64_t batches = 100;
  constexpr std::int64_t hits_of_batch = 20;
  const TokenId id = store_->new_token();
  std::vector<std::future<std::vector<std::int64_t>>> running;
  for (std::int64_t client = 0; client < clients; ++client) {
    running.push_back(std::async(std::launch::async, [&] {
      std::vector<std::int64_t> counts;
      for (std::int64_t batch = 0; batch < batches; ++batch) {
        HitBatch hits;
        for (std::int64_t hit = 0; hit < hits_of_batch; ++hit) hits.push(id, "/");
        for (const Verdict& verdict : store_->track(hits)) {
          EXPECT_EQ(verdict.kind, Verdict::Kind::counted);
          EXPECT_TRUE(counts.empty() || counts.back() < verdict.count);
          counts.push_back(verdict.count);
        }
      }
      return counts;
    }));
  }
  for (auto& client : running) {
    while (client.wait_for(1ms) != std::future_status::ready) redis_.command({"SCRIPT", "FLUSH"});
  }
  std::set<std::int64_t> counts;
  for (auto& client : running) {
    for (const std::int64_t count : client.get()) EXPECT_TRUE(counts.insert(count).second) << count;
  }
  constexpr std::int64_t all = clients * batches * hits_of_batch;
  EXPECT_EQ(counts.size(), static_cast<std::size_t>(all));
  EXPECT_EQ(*counts.rbegin(), all);
  EXPECT_EQ(redis_.command({"HGET", key_of(id), "/"}).text, std::to_string(all));
}

// A command that the proxy has given up may still take effect, whatever Redis does with it later.
TEST(RedisProxyTest, WhatItGivesUpPerhapsHadItsEffect) {
  namespace asio = boost::asio;
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  std::thread proxy([&acceptor] {
    asio::ip::tcp::socket client = acceptor.accept();
    std::string received;
    asio::read_until(client, asio::dynamic_buffer(received), "PING\r\n");
    asio::write(client, asio::buffer(std::string_view("+PONG\r\n")));
    received.resize(4096);
    boost::system::error_code end;
    while (client.read_some(asio::buffer(received), end) > 0) {
      asio::write(client, asio::buffer(std::string_view("-ERR Connection timed out\r\n")));
    }
  });
  CapturedLog log;
  {
    StoreCaller store("127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()), true);
    EXPECT_EQ(store.why_not_ready(), std::nullopt);
    const TokenId id = domain::token_id(domain::random_token());
    EXPECT_EQ(store.add(id), domain::Failure::perhaps_done);
    EXPECT_EQ(store.track(id, "/"), Verdict::perhaps_counted());
  }
  proxy.join();
  EXPECT_THAT(log.text(), HasSubstr("perhaps counted: tracker:{"));
}

// With and without --redis-proxy.
class RedisSilenceTest : public testing::TestWithParam<bool> {};

TEST_P(RedisSilenceTest, IsNoticedWithoutTraffic) {
  const RedisServer redis;
  FaultyLink link(redis.endpoint());
  StoreCaller store(link.door().to_string(), GetParam());
  ASSERT_EQ(store.why_not_ready(), std::nullopt);
  link.hold_all();
  EXPECT_THAT(store.wait_not_ready(), HasSubstr("is not reachable: it has not replied for 1000 ms"));
  link.let_through();
  EXPECT_TRUE(store.wait_ready());
}

INSTANTIATE_TEST_SUITE_P(, RedisSilenceTest, testing::Bool(),
                         [](const auto& proxy) { return proxy.param ? "proxy" : "redis"; });

class RedisCutTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(store_->why_not_ready(), std::nullopt); }

  // Tracks a hit that comes when the connection was cut and the next one is made but cannot greet yet.
  std::future<Verdict> track_while_held(const TokenId& id) {
    link_.hold_all();
    link_.cut();
    for (const Deadline deadline; link_.accepted() < 2 && !deadline.passed();)
      std::this_thread::sleep_for(1ms);
    return std::async(std::launch::async, [this, id] { return store_->track(id, "/"); });
  }

  RedisServer redis_;
  FaultyLink link_{redis_.endpoint()};
  CapturedLog log_;
  std::unique_ptr<StoreCaller> store_ = std::make_unique<StoreCaller>(link_.door().to_string());
};

TEST_F(RedisCutTest, AnIdleConnectionIsMadeAnewAndHitsWaitForIt) {
  const TokenId id = store_->new_token();
  auto verdict = track_while_held(id);
  EXPECT_EQ(verdict.wait_for(200ms), std::future_status::timeout);
  EXPECT_EQ(store_->why_not_ready(), std::nullopt);
  link_.let_through();
  EXPECT_EQ(verdict.get(), Verdict::counted(1));
  EXPECT_EQ(redis_.command({"HGET", key_of(id), "/"}).text, "1");
  store_.reset();
  EXPECT_THAT(log_.text(), HasSubstr("connecting again"));
  EXPECT_THAT(log_.text(), Not(HasSubstr("is not reachable")));
}

TEST_F(RedisCutTest, WhereThatFailsWhatWaitedIsRefused) {
  const TokenId id = store_->new_token();
  auto verdict = track_while_held(id);
  link_.cut();
  EXPECT_EQ(verdict.get(), Verdict::not_counted());
  EXPECT_THAT(store_->wait_not_ready(), HasSubstr("is not reachable"));
  link_.let_through();
  EXPECT_TRUE(store_->wait_ready());
  EXPECT_EQ(store_->track(id, "/"), Verdict::counted(1));
}

// A Redis that cuts each connection does not count as ready, and attempts to connect have pauses.
TEST_F(RedisCutTest, OneCutAfterTheOtherIsAnOutage) {
  for (const Deadline deadline; !store_->is_refusing() && !deadline.passed();) link_.cut();
  EXPECT_THAT(store_->wait_not_ready(), HasSubstr("is not reachable"));
  EXPECT_TRUE(store_->wait_ready());
}

// A user as in docs/operations.md, and the commands of Redis that it may not use.
class RedisAclTest : public testing::Test {
 protected:
  void allow(const std::string& also) {
    EXPECT_EQ(redis_
                  .command({"ACL", "SETUSER", "counter", "on", ">secret", "resetkeys", "~tracker:*", "-@all",
                            "+hsetnx", "+hexists", "+hincrby", "+eval", "+evalsha", "+del", also})
                  .text,
              "OK");
  }
  std::string address() const { return "redis://counter:secret@" + redis_.address(); }

  RedisServer redis_;
};

TEST_F(RedisAclTest, WhatCountingNeedsIsProbedBeforeItIsReady) {
  for (const char* denied : {"-hsetnx", "-hexists", "-hincrby", "-eval", "-evalsha"}) {
    SCOPED_TRACE(denied);
    allow(denied);
    StoreCaller store(address());
    const std::string why_not = store.why_not_ready().value_or("it is ready");
    EXPECT_THAT(why_not,
                HasSubstr("ACL SETUSER counter ~tracker:* +hsetnx +hexists +hincrby +eval +evalsha"));
    EXPECT_THAT(why_not, Not(HasSubstr("secret")));
    allow("+ping");
    EXPECT_TRUE(store.wait_ready());
    EXPECT_EQ(store.track(store.new_token(), "/"), Verdict::counted(1));
  }
}

TEST_F(RedisAclTest, OneThatIsNarrowedLaterIsNoticedWithoutTrafficAndByTheWork) {
  allow("+ping");
  StoreCaller store(address());
  ASSERT_EQ(store.why_not_ready(), std::nullopt);
  const TokenId id = store.new_token();
  for (const bool traffic : {false, true}) {
    allow("-hincrby");
    if (traffic) {
      EXPECT_EQ(store.track(id, "/"), Verdict::not_counted());
    }
    EXPECT_THAT(store.wait_not_ready(), HasSubstr("its ACL is too narrow"));
    EXPECT_EQ(store.track(id, "/"), Verdict::not_counted());
    allow("+ping");
    EXPECT_TRUE(store.wait_ready());
  }
  EXPECT_EQ(store.track(id, "/"), Verdict::counted(1));
}

// The rule that the reason names is enough for every command.
TEST_F(RedisAclTest, TheRuleThatIsNamedWillDo) {
  allow("-hincrby");
  StoreCaller store(address());
  const std::string why_not = store.why_not_ready().value_or("it is ready");
  std::istringstream rule(why_not.substr(std::min(why_not.size(), why_not.find("ACL SETUSER"))));
  const Arguments command{std::istream_iterator<std::string>(rule), {}};
  CapturedLog log;
  EXPECT_EQ(redis_.command(command).text, "OK");
  EXPECT_TRUE(store.wait_ready());
  const TokenId id = store.new_token();
  EXPECT_EQ(store.track(id, "/"), Verdict::counted(1));
  redis_.command({"DEL", key_of(id)});
  EXPECT_EQ(store.track(id, "/"), Verdict::unknown_token());
  EXPECT_EQ(redis_.command({"KEYS", "tracker:{*"}).elements.size(), 0U);
}

class RedisFitnessTest : public RedisTroubleTest {};

TEST_F(RedisFitnessTest, BusyRedisIsNotReadyUntilItIsFree) {
  redis_.command({"CONFIG", "SET", "busy-reply-threshold", "1"});
  auto script = std::async(std::launch::async, [this] {
    return redis_.command({"EVAL", "while true do end", "0"}).is_error;
  });
  EXPECT_THAT(store_->wait_not_ready(), HasSubstr("BUSY"));
  EXPECT_EQ(redis_.command({"SCRIPT", "KILL"}).text, "OK");
  EXPECT_TRUE(script.get());
  EXPECT_TRUE(store_->wait_ready());
  EXPECT_EQ(store_->track(store_->new_token(), "/"), Verdict::counted(1));
}

// It is noticed without a hit.
TEST_F(RedisFitnessTest, ReplicaIsNotReady) {
  redis_.command({"REPLICAOF", "127.0.0.1", std::to_string(lasting_port())});
  EXPECT_THAT(store_->wait_not_ready(), HasSubstr("READONLY"));
  redis_.command({"REPLICAOF", "NO", "ONE"});
  EXPECT_TRUE(store_->wait_ready());
}

TEST_F(RedisFitnessTest, ProbingLeavesNothingAndChangesNoToken) {
  EXPECT_EQ(redis_.command({"KEYS", "tracker:{*"}).elements.size(), 0U);
  for (const TokenId& id : {store::redis::probe_id, store::redis::far_probe_id}) {
    EXPECT_EQ(store_->add(id), std::nullopt);
    EXPECT_EQ(store_->track(id, "/"), Verdict::counted(1));
  }
  store_ = std::make_unique<StoreCaller>(redis_.address());
  ASSERT_EQ(store_->why_not_ready(), std::nullopt);
  for (const TokenId& id : {store::redis::probe_id, store::redis::far_probe_id}) {
    EXPECT_EQ(redis_.command({"HLEN", key_of(id)}).integer, 2);
    EXPECT_EQ(store_->track(id, "/"), Verdict::counted(2));
  }
}

TEST(RedisRenamedTest, CommandThatIsMissingIsNamed) {
  const RedisServer redis(RedisServer::Keeps::nothing, {"--rename-command", "HINCRBY", ""});
  StoreCaller store(redis.address());
  EXPECT_THAT(store.why_not_ready().value_or("it is ready"),
              HasSubstr("unknown command 'HINCRBY': counting needs"));
}

// A node with half of the slots, as in a cluster of two.
TEST(RedisClusterTest, NodeIsNotReadyAndSaysWhy) {
  const RedisServer redis(RedisServer::Keeps::nothing,
                          {"--cluster-enabled", "yes", "--cluster-port", std::to_string(lasting_port()),
                           "--cluster-require-full-coverage", "no", "--cluster-config-file", "nodes.conf"});
  ASSERT_EQ(redis.command({"CLUSTER", "KEYSLOT", key_of(store::redis::probe_id)}).integer, 0);
  ASSERT_EQ(redis.command({"CLUSTER", "KEYSLOT", key_of(store::redis::far_probe_id)}).integer, 16'383);
  ASSERT_EQ(redis.command({"CLUSTER", "ADDSLOTSRANGE", "0", "8191"}).text, "OK");
  StoreCaller store(redis.address());
  EXPECT_THAT(store.why_not_ready().value_or("it is ready"), HasSubstr("this is a node of a Redis Cluster"));
}

// One with all of the slots counts, although a script may not have keys of two slots there.
TEST(RedisClusterTest, NodeThatHoldsAllKeysCounts) {
  const RedisServer redis(RedisServer::Keeps::nothing,
                          {"--cluster-enabled", "yes", "--cluster-port", std::to_string(lasting_port()),
                           "--cluster-require-full-coverage", "no", "--cluster-config-file", "nodes.conf"});
  ASSERT_EQ(redis.command({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"}).text, "OK");
  StoreCaller store(redis.address());
  ASSERT_TRUE(store.wait_ready());
  HitBatch hits;
  for (int i = 0; i < 20; ++i) hits.push(store.new_token(), "/");
  for (const Verdict& verdict : store.track(hits)) EXPECT_EQ(verdict, Verdict::counted(1));
  EXPECT_EQ(store.why_not_now(), std::nullopt);
}

// Everything in this Redis, as text.
std::string everything_in(const RedisServer& redis) {
  std::string all;
  for (const RedisReply& key : redis.command({"KEYS", "*"}).elements) {
    all += key.text + '\n';
    for (const RedisReply& text : redis.command({"HGETALL", key.text}).elements) all += text.text + '\n';
  }
  return all;
}

TEST(RedisLayoutTest, OneHashForEachTokenAndNoTokenInIt) {
  const auto fleet = Fleet::start(1);
  Caller caller(fleet->envoy().door);
  const std::string token = caller.mint();
  EXPECT_EQ(caller.count("/a", token), 1);
  EXPECT_EQ(caller.count("/a", token), 2);
  EXPECT_EQ(caller.count("/b/c", token), 1);
  EXPECT_TRUE(is_refusal(caller.ask(get("/a", "00000000-0000-4000-8000-000000000000")), 401));
  const RedisServer& redis = fleet->redis();

  const auto parsed = domain::parse_token(token);
  ASSERT_TRUE(parsed.has_value());
  const std::string key = key_of(domain::token_id(*parsed));
  EXPECT_EQ(redis.command({"DBSIZE"}).integer, 2) << "the token's hash, and tracker:store";
  const auto keys = redis.command({"KEYS", "tracker:{*"}).elements;
  ASSERT_EQ(keys.size(), 1u) << everything_in(redis);
  EXPECT_EQ(keys.front().text, key);
  EXPECT_EQ(redis.command({"TYPE", key}).text, "hash");
  EXPECT_EQ(redis.command({"HLEN", key}).integer, 3);
  EXPECT_EQ(redis.command({"HGET", key, "/a"}).text, "2");
  EXPECT_EQ(redis.command({"HGET", key, "/b/c"}).text, "1");
  EXPECT_EQ(redis.command({"HEXISTS", key, ""}).integer, 1);
  EXPECT_EQ(redis.command({"TTL", key}).integer, -1) << "it would be forgotten";

  const std::string all = everything_in(redis);
  std::string digits = token;
  std::erase(digits, '-');
  const std::string bytes(parsed->bytes.begin(), parsed->bytes.end());
  for (const std::string& form : {token, digits, bytes}) EXPECT_THAT(all, Not(HasSubstr(form)));
}

}  // namespace
}  // namespace tracker::tests
