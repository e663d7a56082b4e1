// --redis-replicas with a real Redis and a real replica: what is answered is at the replica, and where it cannot be,
// nothing is counted.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "support/answer_checks.h"
#include "support/caller.h"
#include "support/deadline.h"
#include "support/faulty_link.h"
#include "support/fleet.h"
#include "support/health.h"
#include "support/redis_server.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class RedisReplicasTest : public testing::Test {
 protected:
  static void follow(const RedisServer& replica, const Endpoint& master) {
    replica.command({"REPLICAOF", master.host, std::to_string(master.port)});
    for (const Deadline deadline;
         replica.command({"INFO", "replication"}).text.find("master_link_status:up") == std::string::npos;) {
      ASSERT_FALSE(deadline.passed()) << "the replica never follows";
      std::this_thread::sleep_for(5ms);
    }
  }

  // Returns when it can count.
  static Service serve_over(const RedisServer& redis, const std::string& replicas) {
    auto service =
        Service::start({"serve", "--store", "redis", "--envoy-addr", "127.0.0.1:0", "--health-addr",
                        "127.0.0.1:0", "--redis-addr", redis.address(), "--redis-replicas", replicas},
                       "envoy");
    wait_readyz(service.health, 200);
    return service;
  }

  void start() {
    follow(replica_, master_.endpoint());
    service_.emplace(serve_over(master_, "1"));
  }

  RedisServer master_{RedisServer::Keeps::nothing, {"--repl-diskless-sync-delay", "0"}};
  RedisServer replica_;
  std::optional<Service> service_;
};

// The connection to the replica delivers nothing any more, and then the master dies.
TEST_F(RedisReplicasTest, WhatIsAnsweredSurvivesTheMaster) {
  for (const bool waits : {false, true}) {
    SCOPED_TRACE(waits ? "waits for the replica" : "does not wait");
    RedisServer master(RedisServer::Keeps::nothing, {"--repl-diskless-sync-delay", "0"});
    RedisServer replica;
    FaultyLink link(master.endpoint());
    follow(replica, link.door());
    const auto service = serve_over(master, waits ? "1" : "0");
    Caller caller(service.door);
    const auto token = caller.mint();
    for (int count = 1; count <= 100; ++count) ASSERT_EQ(caller.count("/p", token), count);
    wait_received(replica, master);
    link.hold_all();
    std::int64_t answered = 100;
    for (int i = 0; i < 5; ++i) {
      if (const auto answer = caller.ask(get("/p", token)); answer.status == 200) answered = count_in(answer);
    }
    EXPECT_EQ(answered, waits ? 100 : 105);
    master.kill();
    link.cut();
    replica.command({"REPLICAOF", "NO", "ONE"});
    const auto promoted = serve_over(replica, "0");
    EXPECT_EQ(Caller(promoted.door).count("/p", token), 101) << "the replica never received more";
  }
}

// The first hit is perhaps counted, since the replica might still receive it. The others are refused before they are sent.
TEST_F(RedisReplicasTest, WhileTheReplicaHangsNothingIsCounted) {
  start();
  Caller caller(service_->door);
  const auto token = caller.mint();
  ASSERT_EQ(caller.count("/p", token), 1);
  replica_.send_signal(SIGSTOP);
  EXPECT_TRUE(is_refusal(caller.ask(get("/p", token)), 504));
  EXPECT_THAT(wait_readyz(service_->health, 503),
              HasSubstr("reached 0 of the 1 replicas that --redis-replicas asks for"));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(is_refusal(caller.ask(get("/p", token)), 503));
  replica_.send_signal(SIGCONT);
  wait_readyz(service_->health, 200);
  EXPECT_EQ(caller.count("/p", token), 3)
      << "the one in doubt was counted, and those that were refused were not";
}

TEST_F(RedisReplicasTest, WithoutAReplicaNothingIsCounted) {
  start();
  Caller caller(service_->door);
  const auto token = caller.mint();
  replica_.command({"REPLICAOF", "NO", "ONE"});
  EXPECT_THAT(wait_readyz(service_->health, 503), HasSubstr("--redis-replicas"));
  EXPECT_TRUE(is_refusal(caller.ask(get("/p", token)), 503));
  EXPECT_TRUE(is_refusal(caller.ask(get_without_token("/auth")), 503));
  follow(replica_, master_.endpoint());
  wait_readyz(service_->health, 200);
  EXPECT_EQ(caller.count("/p", token), 1);
}

TEST_F(RedisReplicasTest, TheLogSaysWhatAFailoverLoses) {
  start();
  const auto log = [](const Service& service) { return service.program->standard_error(); };
  EXPECT_THAT(log(*service_),
              HasSubstr("; it has 1 replica, and a failover loses nothing that was answered, provided "));
  const auto careless = serve_over(master_, "0");
  EXPECT_THAT(log(careless), HasSubstr("a failover loses what the promoted one has not received yet"));
}

}  // namespace
}  // namespace tracker::tests
