// The health door.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "support/caller.h"
#include "support/deployment.h"
#include "support/health.h"

namespace tracker::tests {
namespace {

using HealthTest = DeploymentTest;
TRACKER_OVER_ALL_DEPLOYMENTS(HealthTest);

TEST_P(HealthTest, LivesAndIsReady) {
  EXPECT_EQ(ask_health(shared().health(), "/healthz").status, 200);
  EXPECT_EQ(ask_health(shared().health(), "/readyz").status, 200);
}

TEST_P(HealthTest, SaysTheProgramsVersion) {
  const HttpAnswer answer = ask_health(shared().health(), "/version");
  EXPECT_EQ(answer.status, 200);
  const std::string version = run_to_end({"--version"}).out;
  const auto digits = version.find_first_of("0123456789");
  ASSERT_NE(digits, std::string::npos) << version;
  const std::string number = version.substr(digits, version.find_first_of(" \n", digits) - digits);
  EXPECT_NE(answer.body.find(number), std::string::npos) << answer.body << " lacks " << number;
}

TEST_P(HealthTest, KnowsNothingElse) {
  for (const char* path : {"/", "/auth", "/healthz/", "/healthzz", "/p", "/admin"}) {
    EXPECT_EQ(ask_health(shared().health(), path).status, 404) << path;
  }
}

TEST_P(HealthTest, AnswersOnAKeptConnection) {
  RawClient client(shared().health());
  for (int i = 0; i < 3; ++i) {
    client.send(get_without_token("/healthz"));
    EXPECT_EQ(client.read_answer().status, 200);
  }
}

TEST_P(HealthTest, OutlivesGarbageAndSilence) {
  RawClient silent(shared().health());
  for (const char* bytes : {"\r\n\r\n", "x", "GET\r\n\r\n", "\x16\x03\x01", "GET /healthz HTTP/1.1\r\n"}) {
    RawClient client(shared().health());
    client.send(bytes);
    client.abort();
  }
  EXPECT_EQ(ask_health(shared().health(), "/healthz").status, 200);
}

TEST_P(HealthTest, SilentClientsDoNotLockItUp) {
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(std::make_unique<RawClient>(shared().health()));
  EXPECT_EQ(ask_health(shared().health(), "/healthz").status, 200);
}

// Another test may take the free ports before they are used. Then this tries again.
std::unique_ptr<Program> start_on_free_port(std::uint16_t& port, const Environment& environment = {}) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    port = free_port(10);
    const std::string address = "127.0.0.1:" + std::to_string(port);
    auto program = std::make_unique<Program>(Arguments{"serve", "--store", "memory", "--envoy-addr", address},
                                             environment);
    try {
      program->wait_listening();
      return program;
    } catch (const std::exception&) {
      if (program->wait_exit() != 1) throw;
    }
  }
  throw std::runtime_error("no pair of free ports");
}

TEST(HealthAddressTest, IsTenAboveTheServicesPort) {
  std::uint16_t port = 0;
  const auto program = start_on_free_port(port);
  const auto doors = program->wait_listening();
  EXPECT_EQ(doors.at("envoy").port, port);
  ASSERT_TRUE(doors.contains("health"));
  EXPECT_EQ(doors.at("health").to_string(), "127.0.0.1:" + std::to_string(port + 10));
  EXPECT_EQ(ask_health(doors.at("health"), "/readyz").status, 200);
}

TEST(HealthAddressTest, IsNoneForPortZero) {
  Program program({"serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0"});
  const auto doors = program.wait_listening();
  EXPECT_TRUE(doors.contains("envoy"));
  EXPECT_FALSE(doors.contains("health"));
}

TEST(HealthAddressTest, ComesFromTheEnvironment) {
  std::uint16_t port = 0;
  const auto program = start_on_free_port(port, {{"HEALTH_ADDR", "127.0.0.1:0"}});
  const auto doors = program->wait_listening();
  ASSERT_TRUE(doors.contains("health"));
  EXPECT_NE(doors.at("health").port, 0);
  EXPECT_EQ(ask_health(doors.at("health"), "/healthz").status, 200);
}

}  // namespace
}  // namespace tracker::tests
