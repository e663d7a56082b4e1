// Who gets a token at /auth, and how often: --auth, --mint-rate, --trusted-proxies and --proxy-protocol.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/caller.h"
#include "support/deployment.h"
#include "support/health.h"
#include "support/network.h"

namespace tracker::tests {
namespace {

using testing::HasSubstr;

using HttpMintTest = DeploymentTest;
TRACKER_OVER_ALL_DEPLOYMENTS(HttpMintTest);

const Arguments bounded_behind_loopback{"--mint-rate",       "1",        "--mint-burst", "3",
                                        "--trusted-proxies", "127.0.0.1"};

Arguments operator+(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

// Asks for so many tokens in one go, so that no time passes between. Returns how many there were; all other answers must be
// 429.
int tokens_of(const Endpoint& envoy, int asked, const std::string& fields, const std::string& before = "") {
  RawClient client(envoy);
  client.send(before + repeated(get_without_token("/auth", fields), static_cast<std::size_t>(asked)));
  int tokens = 0;
  for (int i = 0; i < asked; ++i) {
    const auto answer = client.read_answer();
    if (answer.status == 200) {
      EXPECT_TRUE(is_token(answer));
      ++tokens;
    } else {
      EXPECT_TRUE(is_refusal(answer, 429));
    }
  }
  return tokens;
}

TEST_P(HttpMintTest, WhereAuthIsClosedItIsForbidden) {
  const auto deployment = start({"--auth", "closed"});
  Caller caller(deployment->envoy());
  for (const char* target : {"/auth", "/%61uth", "//auth?x=1"}) {
    const auto answer = caller.ask(get_without_token(target));
    EXPECT_TRUE(is_refusal(answer, 403));
    EXPECT_THAT(answer.body, HasSubstr("operator"));
  }
  EXPECT_TRUE(is_refusal(caller.ask(get("/auth", "00000000-0000-4000-8000-000000000000")), 403));
  EXPECT_TRUE(is_refusal(caller.ask(get("/auth/", "00000000-0000-4000-8000-000000000000")), 401));
  EXPECT_TRUE(is_refusal(caller.ask(get_without_token("/")), 401));
  const auto metrics = ask_health(deployment->health(), "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("\ntracker_http_refusals_total{reason=\"auth_closed\"} 4\n"));
  EXPECT_THAT(metrics, HasSubstr("\ntracker_tokens_minted_total{door=\"http\"} 0\n"));
}

TEST_P(HttpMintTest, LoopbackIsFree) {
  const auto deployment = start({"--mint-rate", "1", "--mint-burst", "1"});
  EXPECT_EQ(tokens_of(deployment->envoy(), 50, ""), 50);
  EXPECT_EQ(tokens_of(deployment->envoy(), 50, "X-Forwarded-For: 192.0.2.1\r\n"), 50)
      << "whoever is not trusted speaks for itself alone";
}

TEST_P(HttpMintTest, EachClientBehindATrustedProxyIsBounded) {
  const auto deployment = start(bounded_behind_loopback);
  const auto& envoy = deployment->envoy();
  EXPECT_EQ(tokens_of(envoy, 10, "X-Forwarded-For: 198.51.100.1, 192.0.2.1\r\n"), 3);
  EXPECT_EQ(tokens_of(envoy, 10, "X-Forwarded-For: 192.0.2.2\r\n"), 3);
  EXPECT_EQ(tokens_of(envoy, 10, "Forwarded: for=\"[2001:db8::1]:80\"\r\n"), 3);
  EXPECT_EQ(tokens_of(envoy, 100, ""), 100) << "this is the proxy itself, and it is on loopback";
  Caller caller(envoy);
  EXPECT_EQ(caller.count("/a", caller.mint()), 1);
  const auto metrics = ask_health(deployment->health(), "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("\ntracker_http_refusals_total{reason=\"minted_too_often\"} 21\n"));
  EXPECT_THAT(metrics, HasSubstr("\ntracker_tokens_minted_total{door=\"http\"} 110\n"));
}

TEST_P(HttpMintTest, AProxyHeaderComesBeforeTheFirstRequest) {
  const auto deployment = start(bounded_behind_loopback + Arguments{"--proxy-protocol"});
  const auto& envoy = deployment->envoy();
  EXPECT_EQ(tokens_of(envoy, 10, "", proxy_header("\xC0\x01\x02\x03")), 3);
  EXPECT_EQ(tokens_of(envoy, 10, "X-Forwarded-For: 192.0.2.9\r\n", proxy_header("\xC0\x01\x02\x04")), 3)
      << "the client is not trusted";
  RawClient counted(envoy);
  counted.send_byte_by_byte(proxy_header("\xC0\x01\x02\x05") + get_without_token("/auth"));
  const auto token = token_in(counted.read_answer());
  for (int i = 1; i <= 3; ++i) {
    counted.send(get("/a", token));
    EXPECT_TRUE(is_count(counted.read_answer(), i)) << "it comes once";
  }
  RawClient without(envoy);
  without.send(get("/a", token));
  EXPECT_TRUE(ends_without_more(without));
  EXPECT_THAT(ask_health(deployment->health(), "/metrics").body,
              HasSubstr("\ntracker_http_malformed_proxy_headers_total 1\n"));
  deployment->end();
  EXPECT_THAT(deployment->front().output(), HasSubstr(" warning --proxy-protocol: "));
}

TEST(HttpMintLogTest, RefusalsAreInTheAccessLogAndTheBoundIsToldOnce) {
  Program program(Arguments{"serve", "--store", "memory", "--envoy-addr", "127.0.0.1:0", "--health-addr",
                            "127.0.0.1:0", "--access-log", "-"} +
                  bounded_behind_loopback);
  EXPECT_EQ(tokens_of(program.wait_listening().at("envoy"), 10, "X-Forwarded-For: 192.0.2.1\r\n"), 3);
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait_exit(), 0);
  EXPECT_THAT(program.standard_output(), HasSubstr("Z GET /auth 429 minted_too_often - 192.0.2.1 "));
  const auto log = program.standard_error();
  const std::string told = " warning --mint-rate 1 is reached by a client: ";
  EXPECT_NE(log.find(told), std::string::npos) << log;
  EXPECT_EQ(log.find(told), log.rfind(told)) << log;
}

// A client on another machine: a network of its own, with a cable to that of the envoy.
TEST(HttpMintNetworkTest, WhatAStrangerSaysChangesNothing) {
  std::optional<Network> envoys;
  std::optional<Network> clients;
  try {
    envoys.emplace();
    clients.emplace();
    envoys->ip({"link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", clients->path()});
  } catch (const std::runtime_error& error) {
    GTEST_SKIP() << error.what();
  }
  envoys->ip({"address", "add", "10.0.0.1/24", "dev", "cable"});
  for (const char* address : {"10.0.0.2/24", "10.0.0.3/24"})
    clients->ip({"address", "add", address, "dev", "cable"});
  for (const auto* end : {&*envoys, &*clients}) end->ip({"link", "set", "cable", "up"});
  std::optional<Program> program;
  std::optional<Endpoint> envoy;
  {
    const Network::Stay beside_the_envoy(*envoys);
    program.emplace(Arguments{"serve", "--store", "memory", "--envoy-addr", "10.0.0.1:0", "--health-addr",
                              "127.0.0.1:0", "--mint-rate", "1", "--mint-burst", "3", "--trusted-proxies",
                              "127.0.0.1,10.0.0.3"});
    envoy = program->wait_listening().at("envoy");
  }
  const Network::Stay beside_the_client(*clients);
  EXPECT_EQ(tokens_of(*envoy, 10, "X-Forwarded-For: 192.0.2.1\r\n"), 3);
  int tokens = 0;
  for (int i = 1; i < 40; ++i) {
    const auto other = "192.0.2." + std::to_string(i);
    tokens += tokens_of(*envoy, 3, "X-Forwarded-For: " + other + "\r\nForwarded: for=" + other + "\r\n");
    tokens += tokens_of(*envoy, 3, "X-Forwarded-For: 127.0.0.1\r\n");
  }
  EXPECT_LT(tokens, 60) << "one a second, however long this took";
}

}  // namespace
}  // namespace tracker::tests
