// Tokens that an operator makes, changes, revokes and removes, and what tokens may fill.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "domain/hex.h"
#include "domain/token.h"
#include "domain/token_id.h"
#include "support/answer_checks.h"
#include "support/caller.h"
#include "support/health.h"
#include "support/partition.h"
#include "support/program.h"
#include "support/redis_cluster.h"
#include "support/redis_server.h"
#include "support/request.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using testing::HasSubstr;

std::string id_of(const std::string& token) {
  std::string id;
  domain::append_hex(domain::token_id(domain::parse_token(token).value()).bytes, id);
  return id;
}

/// Services that count, each with an admin door.
class Topology {
 public:
  Topology(const std::string& name, const Arguments& flags) {
    // printf %s beta | sha256sum
    std::ofstream(path("keys"))
        << "bob write f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753\n";
    std::ofstream(path("key")) << "beta\n";
    Arguments its{"--admin-addr", "127.0.0.1:0", "--admin-keys", path("keys")};
    its.insert(its.end(), flags.begin(), flags.end());
    if (name == "memory" || name == "rocksdb") {
      serve(name == "memory" ? name : "rocksdb:" + path("data"), its);
    } else if (name == "redis") {
      redis_.emplace();
      its.insert(its.end(), {"--redis-addr", redis_->address()});
      serve("redis", its);
    } else {
      start_counters(name, its);
    }
  }

  const std::vector<Endpoint>& doors() const { return doors_; }
  const Endpoint& health() const { return health_.value(); }  // of serve

  Outcome tokens(const Arguments& arguments) {
    Arguments all{"tokens"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.insert(all.end(), {"--admin", admins_, "--admin-key-file", path("key")});
    return run_to_end(all);
  }
  std::string counts(const std::string& id) {
    return run_to_end({"counts", id, "--admin", admins_, "--admin-key-file", path("key")}).out;
  }

 private:
  std::string path(const std::string& name) const { return directory_.path() / name; }

  void add_admin(Program& program) {
    const auto log = program.standard_error();
    std::smatch found;
    ASSERT_TRUE(std::regex_search(log, found, std::regex("admin door at address=([0-9.:]+)"))) << log;
    admins_ += (admins_.empty() ? "" : ",") + found[1].str();
  }

  void serve(const std::string& store, const Arguments& flags) {
    Arguments all{"serve", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store", store};
    all.insert(all.end(), flags.begin(), flags.end());
    program_ = std::make_unique<Program>(all);
    const auto listening = program_->wait_listening();
    health_ = listening.at("health");
    wait_all_ready(health());
    doors_.push_back(listening.at("envoy"));
    add_admin(*program_);
  }

  void start_counters(const std::string& name, const Arguments& flags) {
    partition_ = std::make_unique<Partition>(2);
    for (const char counter : {'a', 'b'}) {
      if (name == "partition") {
        partition_->start_counter(counter, "ab", flags);
      } else if (name == "shared_redis") {
        if (!redis_) redis_.emplace();
        partition_->start_counter_on(counter, redis_->address(), flags);
      } else {
        if (!cluster_) cluster_ = std::make_unique<RedisCluster>(3);
        Arguments all{"--store", "redis-cluster"};
        all.insert(all.end(), flags.begin(), flags.end());
        partition_->start_counter_on(counter, cluster_->addresses(), all);
      }
    }
    for (const char counter : {'a', 'b'}) {
      wait_all_ready(partition_->counter(counter).health);
      add_admin(*partition_->counter(counter).program);
    }
    for (int i = 0; i < 2; ++i) {
      auto& envoy = partition_->start_envoy("ab");
      wait_all_ready(envoy.health);
      doors_.push_back(envoy.door);
    }
  }

  const TemporaryDirectory directory_;
  std::optional<RedisServer> redis_;
  std::unique_ptr<RedisCluster> cluster_;
  std::unique_ptr<Program> program_;
  std::unique_ptr<Partition> partition_;
  std::vector<Endpoint> doors_;
  std::optional<Endpoint> health_;
  std::string admins_;
};

/// Asks for a path with a token as fast as it can, at one door, until it is stopped.
class Customer {
 public:
  Customer(const Endpoint& door, std::string token, const std::atomic<bool>& is_revoked)
      : thread_([this, door, token = std::move(token), &is_revoked] {
          Caller caller(door);
          while (!stops_) {
            const bool was_revoked = is_revoked;  // before it was sent
            const auto answer = caller.ask(get("/p", token));
            if (answer.status == 200) {
              ++counted_;
              counted_late_ += was_revoked ? 1 : 0;
            } else if (answer.status != 401) {
              ++others_;
            }
            refused_ += answer.status == 401 && was_revoked ? 1 : 0;
          }
        }) {}
  ~Customer() { stop(); }
  Customer(const Customer&) = delete;
  Customer& operator=(const Customer&) = delete;

  void stop() {
    stops_ = true;
    if (thread_.joinable()) thread_.join();
  }
  void wait(const std::atomic<std::int64_t>& value, std::int64_t at_least) {
    for (const Deadline deadline; value < at_least; std::this_thread::sleep_for(std::chrono::milliseconds(1)))
      ASSERT_FALSE(deadline.passed());
  }
  void wait_counted(std::int64_t at_least) { wait(counted_, at_least); }
  void wait_refused(std::int64_t at_least) { wait(refused_, at_least); }
  std::int64_t counted() const { return counted_; }
  std::int64_t counted_late() const { return counted_late_; }
  std::int64_t others() const { return others_; }

 private:
  std::atomic<bool> stops_ = false;
  std::atomic<std::int64_t> counted_ = 0;
  std::atomic<std::int64_t> counted_late_ = 0;  // sent after the token was revoked
  std::atomic<std::int64_t> refused_ = 0;       // the same, and refused
  std::atomic<std::int64_t> others_ = 0;
  std::thread thread_;
};

class TokenLifeTest : public testing::TestWithParam<const char*> {};

TEST_P(TokenLifeTest, NothingIsCountedThatIsSentAfterARevoke) {
  Topology topology(GetParam(), {});
  const auto token = Caller(topology.doors().front()).mint();
  std::atomic<bool> is_revoked = false;
  {
    std::vector<std::unique_ptr<Customer>> customers;
    for (int i = 0; i < 4; ++i) {
      const auto& door = topology.doors()[static_cast<std::size_t>(i) % topology.doors().size()];
      customers.push_back(std::make_unique<Customer>(door, token, is_revoked));
    }
    for (const auto& customer : customers) customer->wait_counted(20);
    const auto revoked = topology.tokens({"revoke", id_of(token)});
    is_revoked = true;
    EXPECT_EQ(revoked.exit_code, 0) << revoked.err;
    EXPECT_THAT(revoked.out, HasSubstr("state          revoked\n"));
    for (const auto& customer : customers) customer->wait_refused(20);
    std::int64_t counted = 0;
    for (const auto& customer : customers) {
      customer->stop();
      EXPECT_EQ(customer->counted_late(), 0);
      EXPECT_EQ(customer->others(), 0);
      counted += customer->counted();
    }
    EXPECT_THAT(topology.counts(id_of(token)), HasSubstr(" " + std::to_string(counted) + "  /p\n"));
  }
  EXPECT_THAT(topology.tokens({"list", "--state", "revoked"}).out, HasSubstr(id_of(token)));
  EXPECT_EQ(topology.tokens({"list", "--state", "active"}).out.find(id_of(token)), std::string::npos);
  EXPECT_EQ(topology.tokens({"purge", id_of(token)}).exit_code, 0);
  EXPECT_EQ(topology.tokens({"show", id_of(token)}).exit_code, 1);
  EXPECT_TRUE(is_refusal(Caller(topology.doors().back()).ask(get("/p", token)), 401));
}

TEST_P(TokenLifeTest, AnOperatorMakesTokensWithALabelAndTimes) {
  Topology topology(GetParam(), {});
  const auto made = topology.tokens({"mint", "--label", "shop 7", "--ttl", "90d", "--idle-ttl", "1h"});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  std::smatch found;
  ASSERT_TRUE(std::regex_search(made.out, found, std::regex("token +([0-9a-f-]{36})\n"))) << made.out;
  const auto token = found[1].str();
  const auto id = id_of(token);
  EXPECT_THAT(made.out, HasSubstr("label          shop 7\n"));
  EXPECT_THAT(made.out, HasSubstr("idle limit     3600 s\n"));
  for (std::size_t i = 0; i < topology.doors().size(); ++i)
    EXPECT_EQ(Caller(topology.doors()[i]).count("/p", token), static_cast<std::int64_t>(i) + 1);
  EXPECT_THAT(topology.tokens({"label", id, "--label", "shop 8", "--ttl", "0"}).out, HasSubstr("shop 8\n"));
  EXPECT_THAT(topology.tokens({"list", "--label", "shop 8"}).out, HasSubstr(id));
  EXPECT_EQ(topology.tokens({"list", "--label", "shop 7"}).out.find(id), std::string::npos);
  EXPECT_THAT(topology.tokens({"show", id, "--json"}).out,
              testing::AllOf(HasSubstr("\"expires\":null"), HasSubstr("\"idle_ttl_s\":3600"),
                             HasSubstr("\"total\":" + std::to_string(topology.doors().size()))));
  EXPECT_EQ(topology.tokens({"revoke", std::string(32, '0')}).exit_code, 1);
}

TEST_P(TokenLifeTest, ATokenHasAsManyPathsAsItMay) {
  Topology topology(GetParam(), {"--paths-max", "3"});
  Caller caller(topology.doors().front());
  const auto token = caller.mint();
  const auto other = caller.mint();
  for (const auto* path : {"/a", "/b", "/c"}) EXPECT_EQ(caller.count(path, token), 1);
  // In one batch: the last one is one too many, and the others are as they are without it.
  caller.client().send(get("/a", token) + get("/d", token) + get("/d", other));
  EXPECT_EQ(count_in(caller.client().read_answer()), 2);
  const auto refused = caller.client().read_answer();
  EXPECT_TRUE(is_refusal(refused, 403)) << refused.to_string();
  EXPECT_EQ(count_in(caller.client().read_answer()), 1);
  EXPECT_TRUE(is_refusal(Caller(topology.doors().back()).ask(get("/e", token)), 403));
  EXPECT_EQ(topology.counts(id_of(token)).find("/d"), std::string::npos);
  EXPECT_EQ(caller.count("/c", token), 2);
}

INSTANTIATE_TEST_SUITE_P(Topologies, TokenLifeTest,
                         testing::Values("memory", "rocksdb", "redis", "partition", "shared_redis",
                                         "redis_cluster"),
                         [](const auto& topology) { return std::string(topology.param); });

TEST(TokenLimitsTest, TheStoreHasAsManyTokensAsItMay) {
  Topology topology("rocksdb", {"--tokens-max", "2"});
  Caller caller(topology.doors().front());
  const auto token = caller.mint();
  caller.mint();
  const auto refused = caller.ask(get_without_token("/auth"));
  EXPECT_TRUE(is_refusal(refused, 503));
  EXPECT_THAT(refused.body, HasSubstr("has as many tokens as it may; no token was made"));
  EXPECT_THAT(ask_health(topology.health(), "/readyz").body, HasSubstr("no more tokens are minted"));
  EXPECT_THAT(topology.tokens({"mint"}).err, HasSubstr("has as many as it may"));
  EXPECT_EQ(caller.count("/p", token), 1);
  EXPECT_EQ(topology.tokens({"purge", id_of(token)}).exit_code, 0);
  wait_all_ready(topology.health());
  caller.mint();
}

}  // namespace
}  // namespace tracker::tests
