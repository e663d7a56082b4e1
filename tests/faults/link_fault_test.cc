// Breaks the links between envoy, counter and Redis in the places where a mistake would count twice or lose a count:
// the message has arrived, but its answer is held back or lost.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/caller.h"
#include "support/exactness.h"
#include "support/faulty_link.h"
#include "support/fleet.h"
#include "support/health.h"
#include "support/steady_load.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr auto recovery_max = 5s + 1s;  // as in outage_test.cc

// The link that breaks.
enum class Broken { to_counter, to_redis };

// envoy - (link) - counter - (link) - Redis
class LinkFaultTest : public testing::TestWithParam<Broken> {
 protected:
  void SetUp() override {
    counter_ = Service::start({"counter", "--counter-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0",
                               "--redis-addr", to_redis_.door().to_string()},
                              "counter");
    to_counter_ = std::make_unique<FaultyLink>(counter_.door);
    start_envoy();
    caller_ = std::make_unique<Caller>(envoy_.door);
    token_ = caller_->mint();
  }

  void start_envoy(const Arguments& flags = {}) {
    Arguments arguments{"envoy",
                        "--envoy-addr",
                        "127.0.0.1:0",
                        "--health-addr",
                        "127.0.0.1:0",
                        "--counter-addr",
                        to_counter_->door().to_string(),
                        "--threads",
                        "1"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    envoy_ = Service::start(arguments, "envoy");
    wait_readyz(envoy_.health, 200);
  }

  FaultyLink& broken() { return GetParam() == Broken::to_counter ? *to_counter_ : to_redis_; }

  // Returns the count in Redis for a path.
  std::int64_t stored(const std::string& path) const {
    const auto keys = redis_.command({"KEYS", "*"}).elements;
    std::int64_t sum = 0;
    for (const RedisReply& key : keys) {
      const std::string text = redis_.command({"HGET", key.text, path}).text;
      if (!text.empty()) sum += std::stoll(text);
    }
    return sum;
  }

  void wait_stored(const std::string& path, std::int64_t count) const {
    for (const Deadline deadline; stored(path) != count;) {
      ASSERT_FALSE(deadline.passed()) << stored(path) << " are stored";
    }
  }

  // The link works again. /readyz alone does not show recovery, because it may not know of the fault yet.
  void expect_recovery() {
    Caller caller(envoy_.door);
    for (const Deadline deadline(recovery_max);;) {
      const HttpAnswer answer = caller.ask(get("/recovery", token_));
      if (answer.status == 200) break;
      // 504: it was in flight when the hanging message was given up.
      ASSERT_TRUE(is_refusal(answer, 503) || is_refusal(answer, 504));
      ASSERT_FALSE(deadline.passed()) << ask_health(envoy_.health, "/readyz").body;
      std::this_thread::sleep_for(5ms);
    }
    EXPECT_EQ(ask_health(envoy_.health, "/readyz").status, 200);
  }

  RedisServer redis_;
  FaultyLink to_redis_{redis_.endpoint()};
  Service counter_;
  std::unique_ptr<FaultyLink> to_counter_;
  Service envoy_;
  std::unique_ptr<Caller> caller_;
  std::string token_;
};

// The hit is counted, but nobody above the link can know: it is perhaps counted, and never sent again.
TEST_P(LinkFaultTest, AnswerIsLostByACut) {
  EXPECT_EQ(caller_->count("/p", token_), 1);
  for (std::int64_t round = 2; round <= 6; ++round) {
    broken().hold_answers();
    caller_->client().send(get("/p", token_));
    ASSERT_NO_FATAL_FAILURE(wait_stored("/p", round));
    broken().cut();
    EXPECT_TRUE(is_refusal(caller_->client().read_answer(), 504));
    broken().let_through();
    expect_recovery();
    EXPECT_EQ(stored("/p"), round) << "it was sent again";
  }
  EXPECT_EQ(caller_->count("/p", token_), 7);
}

// The answer is held until the request deadline has passed, and comes then.
TEST_P(LinkFaultTest, AnswerComesTooLate) {
  broken().hold_answers();
  const auto asked = std::chrono::steady_clock::now();
  caller_->client().send(repeated(get("/p", token_), 3));
  for (int i = 0; i < 3; ++i) {
    const HttpAnswer answer = caller_->client().read_answer();
    EXPECT_TRUE(answer.status == 503 || answer.status == 504) << answer.to_string();
    if (i == 0) {
      EXPECT_TRUE(is_refusal(answer, 504));
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - asked, 4s);
  broken().let_through();
  expect_recovery();
  const std::int64_t held = stored("/p");
  EXPECT_GE(held, 1);
  EXPECT_LE(held, 3);
  EXPECT_EQ(caller_->count("/p", token_), held + 1);
}

// A hit that waits behind a hanging message was never sent: it is refused, and not counted.
TEST_P(LinkFaultTest, WhatWaitsBehindAHangIsRefusedAndNotCounted) {
  broken().hold_answers();
  caller_->client().send(get("/first", token_));
  wait_stored("/first", 1);
  // Nobody knows of the hang yet. These wait, and some are perhaps in flight.
  std::vector<std::unique_ptr<Caller>> others;
  for (int i = 0; i < 10; ++i) {
    others.push_back(std::make_unique<Caller>(envoy_.door));
    others.back()->client().send(get("/behind", token_));
  }
  EXPECT_TRUE(is_refusal(caller_->client().read_answer(), 504));
  std::int64_t perhaps = 0;
  for (const auto& other : others) {
    const HttpAnswer answer = other->client().read_answer();
    EXPECT_TRUE(answer.status == 503 || answer.status == 504) << answer.to_string();
    perhaps += answer.status == 504 ? 1 : 0;
  }
  wait_readyz(envoy_.health, 503, recovery_max);
  // The outage is known by now: refused, and not counted.
  EXPECT_TRUE(is_refusal(caller_->ask(get("/later", token_)), 503));
  broken().let_through();
  expect_recovery();
  EXPECT_LE(stored("/behind"), perhaps);
  EXPECT_EQ(stored("/later"), 0);
}

// A link that swallows everything, including new connections, as if the machine behind it were gone.
TEST_P(LinkFaultTest, SwallowsEverythingForAWhile) {
  broken().hold_all();
  EXPECT_TRUE(is_refusal(caller_->ask(get("/p", token_)), 504));
  wait_readyz(envoy_.health, 503, recovery_max);
  EXPECT_TRUE(is_refusal(caller_->ask(get("/q", token_)), 503));
  EXPECT_TRUE(is_refusal(caller_->ask(get_without_token("/auth")), 503));
  EXPECT_EQ(stored("/p") + stored("/q"), 0);
  // Not a wait for a state, but the outage itself, during which attempts to connect fail.
  const Deadline outage(4s);
  while (!outage.passed()) wait_readyz(envoy_.health, 503);
  broken().let_through();
  expect_recovery();
  EXPECT_EQ(caller_->count("/q", token_), 1);
  EXPECT_LE(caller_->count("/p", token_), 2);
}

// A request for a token hangs no longer than any other.
TEST_P(LinkFaultTest, MintIsAnsweredInTime) {
  broken().hold_answers();
  const auto asked = std::chrono::steady_clock::now();
  EXPECT_TRUE(is_refusal(caller_->ask(get_without_token("/auth")), 504));
  EXPECT_LT(std::chrono::steady_clock::now() - asked, 4s);
  broken().let_through();
  expect_recovery();
  EXPECT_EQ(caller_->count("/p", caller_->mint()), 1);
}

// An envoy with a shorter deadline than its counter answers by its own deadline.
TEST_P(LinkFaultTest, ShorterDeadlineOfTheEnvoyIsKept) {
  start_envoy({"--request-deadline", "300ms"});
  Caller caller(envoy_.door);
  EXPECT_EQ(caller.count("/p", token_), 1);
  broken().hold_answers();
  const auto asked = std::chrono::steady_clock::now();
  EXPECT_TRUE(is_refusal(caller.ask(get("/p", token_)), 504));
  EXPECT_LT(std::chrono::steady_clock::now() - asked, 1500ms);
  broken().let_through();
  expect_recovery();
  EXPECT_EQ(caller.count("/p", token_), 3);
}

// Everything that needs no counter still works without one.
TEST_P(LinkFaultTest, WhatNeedsNoCounterGoesOn) {
  broken().hold_all();
  caller_->client().send(get("/p", token_));
  Caller other(envoy_.door);
  for (const bool known : {false, true}) {
    if (known) wait_readyz(envoy_.health, 503, recovery_max);
    EXPECT_TRUE(is_refusal(other.ask(get_without_token("/p")), 401));
    EXPECT_TRUE(is_refusal(other.ask(get("/p", "invalid")), 401));
    EXPECT_TRUE(is_refusal(other.ask("DELETE /p HTTP/1.1\r\nHost: tracker\r\n\r\n"), 405));
    EXPECT_TRUE(is_refusal(Caller(envoy_.door).ask(get("/%zz", token_)), 400, After::closes));
    EXPECT_EQ(ask_health(envoy_.health, "/healthz").status, 200);
    EXPECT_EQ(ask_health(counter_.health, "/healthz").status, 200);
  }
  EXPECT_TRUE(is_refusal(caller_->client().read_answer(), 504));
}

// Hanging messages do not delay the end, and every received request gets an answer.
TEST_P(LinkFaultTest, DrainsWhileItHangs) {
  broken().hold_answers();
  caller_->client().send(get("/p", token_));
  wait_stored("/p", 1);
  envoy_.program->send_signal(SIGTERM);
  EXPECT_TRUE(is_refusal(caller_->client().read_answer(), 504, After::closes));
  EXPECT_EQ(envoy_.program->wait_exit(10s), 0) << envoy_.program->output();
  counter_.program->send_signal(SIGTERM);
  EXPECT_EQ(counter_.program->wait_exit(12s), 0) << counter_.program->output();
}

// Only the link to the counter.
class LinkToCounterTest : public LinkFaultTest {};

// A firewall or a proxy in between has cut it. No request was waiting, and later requests notice nothing.
TEST_P(LinkToCounterTest, ConnectionThatIsCutWhileIdleIsMadeAnewAtOnce) {
  for (std::int64_t round = 1; round <= 5; ++round) {
    const std::size_t before = to_counter_->accepted();
    to_counter_->cut();
    for (const Deadline deadline; to_counter_->accepted() == before;) {
      ASSERT_FALSE(deadline.passed()) << "without traffic no connection is made";
      EXPECT_EQ(ask_health(envoy_.health, "/readyz").status, 200);
    }
    EXPECT_EQ(caller_->count("/p", token_), round);
    EXPECT_EQ(ask_health(envoy_.health, "/readyz").status, 200);
  }
  EXPECT_EQ(stored("/p"), 5);
  EXPECT_THAT(envoy_.program->standard_error(), Not(HasSubstr("is not reachable: ")));
}

// A new connection takes time. Hits wait for it, but not beyond their deadline.
TEST_P(LinkToCounterTest, HitsWaitForANewConnection) {
  to_counter_->hold_answers();
  const std::size_t before = to_counter_->accepted();
  to_counter_->cut();
  for (const Deadline deadline; to_counter_->accepted() == before;) ASSERT_FALSE(deadline.passed());
  caller_->client().send(repeated(get("/p", token_), 2));
  Caller other(envoy_.door);
  other.client().send(get_without_token("/auth"));
  EXPECT_EQ(ask_health(envoy_.health, "/readyz").status, 200);
  EXPECT_EQ(stored("/p"), 0) << "it was sent before the counter had answered";
  to_counter_->let_through();
  EXPECT_EQ(count_in(caller_->client().read_answer()), 1);
  EXPECT_EQ(count_in(caller_->client().read_answer()), 2);
  EXPECT_EQ(token_in(other.client().read_answer()).size(), 36U);

  to_counter_->hold_answers();
  to_counter_->cut();
  for (const Deadline deadline; to_counter_->accepted() == before + 1;) ASSERT_FALSE(deadline.passed());
  EXPECT_TRUE(is_refusal(caller_->ask(get("/p", token_)), 503)) << "certainly not counted";
  EXPECT_EQ(ask_health(envoy_.health, "/readyz").status, 503);
  to_counter_->let_through();
  expect_recovery();
  EXPECT_EQ(stored("/p"), 2);
}

// Replaced as behind a load balancer: the counter says that its connections end, and another accepts at the address.
TEST_P(LinkToCounterTest, CounterThatEndsHandsItsEnvoysOnToTheNext) {
  const Service second = Service::start({"counter", "--counter-addr", "127.0.0.1:0", "--health-addr",
                                         "127.0.0.1:0", "--redis-addr", redis_.address()},
                                        "counter");
  {
    // Its health door knows earlier than envoys that it can count.
    const Service other_envoy = Service::start({"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr",
                                                "127.0.0.1:0", "--counter-addr", second.door.to_string()},
                                               "envoy");
    wait_readyz(other_envoy.health, 200);
  }
  SteadyLoad load(envoy_.door, {token_, caller_->mint()}, {"/", "/a/b"});
  load.wait_for_more(SteadyLoad::Kind::counted, 200);
  to_counter_->lead_to(second.door);
  counter_.program->send_signal(SIGTERM);
  EXPECT_EQ(counter_.program->wait_exit(), 0) << counter_.program->output();
  load.wait_for_more(SteadyLoad::Kind::counted, 200);
  const std::vector<Observation> observations = load.stop();
  EXPECT_EQ(load.seen(SteadyLoad::Kind::refused), 0U);
  EXPECT_EQ(load.seen(SteadyLoad::Kind::perhaps), 0U);
  EXPECT_THAT(exactness_violations(observations, load.read_stored()), testing::IsEmpty());
  EXPECT_THAT(load.lost_tokens(), testing::IsEmpty());
}

// Silence is noticed without traffic, on either link.
TEST_P(LinkFaultTest, SilenceIsNoticedWithoutTraffic) {
  broken().hold_all();
  wait_readyz(envoy_.health, 503, recovery_max);
  broken().let_through();
  expect_recovery();
}

INSTANTIATE_TEST_SUITE_P(, LinkFaultTest, testing::Values(Broken::to_counter, Broken::to_redis),
                         [](const auto& link) {
                           return link.param == Broken::to_counter ? "to_counter" : "to_redis";
                         });

INSTANTIATE_TEST_SUITE_P(, LinkToCounterTest, testing::Values(Broken::to_counter),
                         [](const auto& /*link*/) { return "to_counter"; });

}  // namespace
}  // namespace tracker::tests
