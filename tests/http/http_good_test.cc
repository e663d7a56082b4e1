// Good requests, each sent whole: the answers, the counts, and whether the connection stays.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "http_good_requests.h"
#include "support/caller.h"
#include "support/deployment.h"

namespace tracker::tests {
namespace {

using HttpGoodTest = DeploymentTest;
TRACKER_OVER_ALL_DEPLOYMENTS(HttpGoodTest);

TEST_P(HttpGoodTest, EachIsCountedOnce) {
  Caller caller(shared().envoy());
  for (const GoodRequest& request : good_requests()) {
    SCOPED_TRACE(request.name);
    const std::string token = caller.mint();
    RawClient client(shared().envoy());
    ASSERT_TRUE(client.send(with_token(request.bytes, token)));
    EXPECT_TRUE(is_count(client.read_answer(), 1, request.after));
    if (request.after == After::stays) {
      client.send(with_token(request.bytes, token));
      EXPECT_TRUE(is_count(client.read_answer(), 2));
      client.half_close();
    } else {
      EXPECT_TRUE(ends_cleanly(client));
    }
    EXPECT_TRUE(ends_cleanly(client));
    EXPECT_EQ(caller.count(request.path, token), request.after == After::stays ? 3 : 2);
  }
}

// Otherwise HTTP/1.0 clients such as ab do not know that the connection stays.
TEST_P(HttpGoodTest, KeepAliveIsConfirmedToHttp10) {
  Caller caller(shared().envoy());
  const HttpAnswer answer = caller.ask("GET /auth HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(is_token(answer));
  EXPECT_EQ(answer.field("Connection"), "keep-alive");
}

TEST_P(HttpGoodTest, AuthMintsInEveryForm) {
  Caller caller(shared().envoy());
  for (const char* target : {"/auth", "//auth", "/%61uth", "/aut%68", "/./auth", "/x/../auth", "/auth?x=1",
                             "/../auth", "http://tracker/auth", "https://tracker//%61uth?x"}) {
    SCOPED_TRACE(target);
    const HttpAnswer minted = caller.ask(get_without_token(target));
    ASSERT_TRUE(is_token(minted));
    EXPECT_EQ(caller.count("/", token_in(minted)), 1);
  }
}

TEST_P(HttpGoodTest, AuthMintsWhateverTokenIsShown) {
  Caller caller(shared().envoy());
  const std::string token = caller.mint();
  for (const std::string& shown : {token, "Bearer " + token, std::string("nonsense"), std::string()}) {
    SCOPED_TRACE(shown);
    const HttpAnswer minted = caller.ask(get("/auth", shown));
    ASSERT_TRUE(is_token(minted));
    EXPECT_NE(token_in(minted), token);
  }
}

TEST_P(HttpGoodTest, NearlyAuthIsCountedLikeAnyPath) {
  Caller caller(shared().envoy());
  const std::string token = caller.mint();
  for (const char* target :
       {"/auth/", "/AUTH", "/%41uth", "/auth%2F", "/auth/x", "/authx", "/a/auth", "/auth/.x"}) {
    SCOPED_TRACE(target);
    EXPECT_EQ(caller.count(target, token), 1);
    EXPECT_TRUE(is_refusal(caller.ask(get_without_token(target)), 401));
  }
}

TEST_P(HttpGoodTest, HealthPathsAreCountedLikeAnyPath) {
  Caller caller(shared().envoy());
  const std::string token = caller.mint();
  for (const char* target : {"/healthz", "/readyz", "/version", "/metrics"}) {
    EXPECT_EQ(caller.count(target, token), 1) << target;
  }
}

TEST_P(HttpGoodTest, TokensAreDistinct) {
  Caller caller(shared().envoy());
  std::set<std::string> tokens;
  for (int i = 0; i < 1000; ++i) tokens.insert(caller.mint());
  EXPECT_EQ(tokens.size(), 1000u);
}

TEST_P(HttpGoodTest, TokensCountApart) {
  Caller caller(shared().envoy());
  const std::string one = caller.mint();
  const std::string two = caller.mint();
  EXPECT_EQ(caller.count("/p", one), 1);
  EXPECT_EQ(caller.count("/p", two), 1);
  EXPECT_EQ(caller.count("/p", one), 2);
}

// The contract's secret: the log of the process contains no token.
TEST_P(HttpGoodTest, LogHoldsNoToken) {
  const auto deployment = start();
  Caller caller(deployment->envoy());
  const std::string token = caller.mint();
  caller.count("/p", token);
  caller.ask(get("/%zz", token));
  deployment->front().send_signal(SIGTERM);
  EXPECT_EQ(deployment->front().wait_exit(), 0);
  EXPECT_EQ(deployment->front().output().find(token), std::string::npos);
}

}  // namespace
}  // namespace tracker::tests
