#include "envoy/route.h"

#include <gtest/gtest.h>

#include "domain/path.h"

namespace tracker::envoy {

constexpr const char* token_text = "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd";

RequestHead get(std::string_view target) {
  RequestHead head;
  head.method = "GET";
  head.target = target;
  head.authorization = token_text;
  head.authorization_fields = 1;
  return head;
}

TEST(Route, TracksThePathInNormalForm) {
  std::string path = "left over";
  const auto what = route(get("http://x/a/../b?c"), path);
  EXPECT_EQ(what.kind, Route::Kind::track);
  EXPECT_EQ(path, "/b");
  EXPECT_EQ(domain::to_string(what.token), token_text);
}

TEST(Route, MintsWithoutAToken) {
  for (const auto* target : {"/auth", "/%61uth", "//auth", "/x/../auth?y", "http://x/auth"}) {
    std::string path;
    auto head = get(target);
    head.authorization_fields = 0;
    EXPECT_EQ(route(head, path).kind, Route::Kind::mint) << target;
  }
}

TEST(Route, RefusesBadTargets) {
  const struct {
    const char* target;
    Refusal refusal;
  } cases[] = {
      {"/%zz", Refusal::percent_encoding},
      {"/\xC3\xA9", Refusal::target_byte},
      {"/a#b", Refusal::fragment},
      {"*", Refusal::target_form},
  };
  for (const auto& c : cases) {
    std::string path;
    const auto what = route(get(c.target), path);
    ASSERT_EQ(what.kind, Route::Kind::refuse) << c.target;
    EXPECT_EQ(what.refusal, c.refusal) << c.target;
  }
}

TEST(Route, RefusesInTheOrderOfTheTable) {
  std::string path;
  auto head = get("/%zz");
  head.expects_the_unknown = true;
  head.authorization_fields = 2;
  EXPECT_EQ(route(head, path).refusal, Refusal::percent_encoding);
  const std::string too_long = "/" + std::string(domain::path_bytes_max, 'p');
  head.target = too_long;
  EXPECT_EQ(route(head, path).refusal, Refusal::path_too_long);
  head.target = "/";
  EXPECT_EQ(route(head, path).refusal, Refusal::expectation);
  head.expects_the_unknown = false;
  EXPECT_EQ(route(head, path).refusal, Refusal::two_authorizations);
  head.authorization_fields = 0;
  EXPECT_EQ(route(head, path).refusal, Refusal::no_token);
  head.authorization_fields = 1;
  head.authorization = "x";
  EXPECT_EQ(route(head, path).refusal, Refusal::malformed_token);
}

TEST(Route, KnowsTheRegisteredMethods) {
  std::string path;
  auto head = get("/%zz");
  for (const auto* method :
       {"POST", "HEAD", "OPTIONS", "CONNECT", "PRI", "VERSION-CONTROL", "ACL", "QUERY"}) {
    head.method = method;
    EXPECT_EQ(route(head, path).refusal, Refusal::method_not_allowed) << method;
  }
  for (const auto* method : {"FOO", "get", "Get", "GETS", "POS", "A", "ZZZ"}) {
    head.method = method;
    EXPECT_EQ(route(head, path).refusal, Refusal::method_unregistered) << method;
  }
}

}  // namespace tracker::envoy
