// Rolling upgrades: envoys and counters of another build work with those of this build, under load. Where several counters
// share the tokens, what another build from before that cannot do is refused. TRACKER_OTHER names the program of the other
// build. tests/upgrade builds it from a commit and runs these tests with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "grpc_client.h"
#include "support/caller.h"
#include "support/exactness.h"
#include "support/health.h"
#include "support/partition.h"
#include "support/program.h"
#include "support/redis_server.h"
#include "support/steady_load.h"

namespace tracker::tests {
namespace {

using testing::IsEmpty;
using Kind = SteadyLoad::Kind;

class UpgradeTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* other = std::getenv("TRACKER_OTHER");
    if (other == nullptr) GTEST_SKIP() << "TRACKER_OTHER names no other build; tests/upgrade makes one";
    other_ = other;
  }

  std::unique_ptr<Program> start_counter(const std::string& binary, const std::string& address) {
    return std::make_unique<Program>(Arguments{"counter", "--counter-addr", address, "--health-addr",
                                               "127.0.0.1:0", "--redis-addr", redis_.address()},
                                     Environment{}, binary);
  }
  std::unique_ptr<Program> start_envoy(const std::string& binary, const Endpoint& counter) {
    return std::make_unique<Program>(
        Arguments{"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--counter-addr",
                  counter.to_string(), "--threads", "2"},
        Environment{}, binary);
  }

  /// One envoy uses counters that are replaced under load. The result is judged by the counts in Redis.
  void expect_exact_over(const std::string& envoy_binary, const std::vector<std::string>& counter_binaries) {
    auto counter = start_counter(counter_binaries.front(), "127.0.0.1:0");
    const Endpoint door = counter->wait_listening().at("counter");
    const auto envoy = start_envoy(envoy_binary, door);
    const auto doors = envoy->wait_listening();
    wait_readyz(doors.at("health"), 200);
    Caller caller(doors.at("envoy"));
    SteadyLoad load(doors.at("envoy"), {caller.mint(), caller.mint()}, {"/", "/a/b"});
    load.wait_for_more(Kind::counted, 200);
    for (std::size_t i = 1; i < counter_binaries.size(); ++i) {
      counter->send_signal(SIGTERM);
      EXPECT_EQ(counter->wait_exit(), 0) << counter->output();
      counter = start_counter(counter_binaries[i], door.to_string());
      counter->wait_listening();
      wait_readyz(doors.at("health"), 200);
      load.wait_for_more(Kind::counted, 200);
    }
    const auto observations = load.stop();
    EXPECT_THAT(load.complaints(), IsEmpty());
    EXPECT_THAT(load.lost_tokens(), IsEmpty());
    EXPECT_THAT(exactness_violations(observations, load.read_stored()), IsEmpty());
    EXPECT_EQ(load.seen(Kind::perhaps), 0U) << "a drain answers all that it has taken";
    envoy->send_signal(SIGTERM);
    EXPECT_EQ(envoy->wait_exit(), 0) << envoy->output();
  }

  RedisServer redis_{RedisServer::Keeps::everything};
  const std::string this_ = tracker_binary();
  std::string other_;
};

TEST_F(UpgradeTest, CountersFirst) {
  expect_exact_over(other_, {other_, this_});
}

TEST_F(UpgradeTest, EnvoysFirst) {
  expect_exact_over(this_, {other_, this_});
}

TEST_F(UpgradeTest, AndBack) {
  expect_exact_over(this_, {this_, other_});
  expect_exact_over(other_, {this_, other_});
}

// A client of the public interface goes on with the counter that replaces another.
TEST_F(UpgradeTest, PublicClientsGoOn) {
  auto counter = start_counter(other_, "127.0.0.1:0");
  const Endpoint door = counter->wait_listening().at("counter");
  CounterClient client(door);
  ASSERT_TRUE(wait_serving(client.channel()));
  const std::string token = client.mint();
  EXPECT_EQ(client.count(token, "/p"), 1);
  counter->send_signal(SIGTERM);
  EXPECT_EQ(counter->wait_exit(), 0) << counter->output();
  counter = start_counter(this_, door.to_string());
  counter->wait_listening();
  for (const Deadline deadline; !wait_serving(client.channel());) ASSERT_FALSE(deadline.passed());
  EXPECT_EQ(client.count(token, "/p"), 2);
}

std::vector<std::string> mint(const Endpoint& envoy, std::size_t tokens) {
  Caller caller(envoy);
  std::vector<std::string> minted;
  for (std::size_t i = 0; i < tokens; ++i) minted.push_back(caller.mint());
  return minted;
}

// An envoy from before several counters knows one of three that share the tokens.
TEST_F(UpgradeTest, AnEnvoyOfOneOfSeveralCountersCountsThatOnesTokens) {
  Partition partition(3);
  partition.start_all();
  const Endpoint all = partition.envoy().door;
  const auto envoy = start_envoy(other_, partition.counter('a').door);
  const auto doors = envoy->wait_listening();
  wait_readyz(doors.at("health"), 200);
  const Endpoint of_a = doors.at("envoy");

  const auto tokens = mint(all, 60);
  std::vector<std::int64_t> counts;  // of `tokens`, after the old envoy was asked
  Caller through_a(of_a);
  for (const auto& token : tokens) {
    const auto answer = through_a.ask(get("/p", token));
    if (answer.status != 200) {
      EXPECT_TRUE(is_refusal(answer, 503));
    }
    counts.push_back(answer.status == 200 ? count_in(answer) : 0);
  }
  EXPECT_GT(std::ranges::count(counts, 1), 5);
  EXPECT_GT(std::ranges::count(counts, 0), 20);
  Caller through_all(all);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    EXPECT_EQ(through_all.count("/p", tokens[i]), counts[i] + 1) << "what is refused is not counted";
  for (const auto& token : mint(of_a, 20)) {
    EXPECT_EQ(through_a.count("/p", token), 1);
    EXPECT_EQ(through_all.count("/p", token), 2);
  }
}

// One counter from before several shall become one of three. Until it is of this build, all is refused.
TEST_F(UpgradeTest, ACounterFromBeforeAmongSeveralIsRefusedWhole) {
  Partition partition(3);
  auto old_counter = start_counter(other_, partition.address('c'));
  const auto old_envoy = start_envoy(other_, old_counter->wait_listening().at("counter"));
  const auto old_doors = old_envoy->wait_listening();
  wait_readyz(old_doors.at("health"), 200);
  Caller through_old(old_doors.at("envoy"));
  std::map<std::string, std::int64_t> counts;  // of all tokens, as they were answered last
  for (const auto& token : mint(old_doors.at("envoy"), 40)) counts[token] = through_old.count("/p", token);

  for (const char name : {'a', 'b'}) partition.start_counter(name, "abc");
  auto& envoy = partition.start_envoy("abc", {"--threads", "1"});
  Caller caller(envoy.door);
  // Asks once for each token. Returns how many were counted.
  const auto ask_all = [&] {
    std::size_t counted = 0;
    for (auto& [token, count] : counts) {
      const auto answer = caller.ask(get("/p", token));
      if (answer.status != 200) {
        EXPECT_TRUE(is_refusal(answer, 503));
        continue;
      }
      EXPECT_EQ(count_in(answer), ++count);
      ++counted;
    }
    return counted;
  };
  ask_all();  // perhaps before it knows what each counter is
  wait_readyz(envoy.health, 503, "counter c owns every token");
  EXPECT_EQ(ask_all(), 0U);
  EXPECT_TRUE(is_refusal(caller.ask(get_without_token("/auth")), 503));
  wait_readyz(partition.counter('a').health, 503, "start it with the same --peers");
  for (auto& [token, count] : counts) EXPECT_EQ(through_old.count("/p", token), ++count);

  old_counter->send_signal(SIGTERM);
  EXPECT_EQ(old_counter->wait_exit(), 0) << old_counter->output();
  partition.start_counter_on('c', redis_.address(), {"--name", "c", "--peers", partition.list("abc")});
  wait_all_ready(envoy.health);
  const auto counted = ask_all();  // the others lie at c, and their slots are a's or b's
  EXPECT_GT(counted, 2U);
  EXPECT_LT(counted, 30U);
  EXPECT_EQ(mint(envoy.door, 20).size(), 20U);
}

}  // namespace
}  // namespace tracker::tests
