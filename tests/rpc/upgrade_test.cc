// Rolling upgrades: envoys and counters of another build work with those of this build, under load. TRACKER_OTHER names
// the program of the other build. tests/upgrade builds it from a commit and runs these tests with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "grpc_client.h"
#include "support/caller.h"
#include "support/exactness.h"
#include "support/health.h"
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

}  // namespace
}  // namespace tracker::tests
