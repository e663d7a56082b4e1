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
  const struct {
    const char* target;
    const char* path;
  } cases[] = {
      {"/", "/"},         {"/a/../b?c=%41", "/b"},  {"http://x/a", "/a"},        {"HTTPS://x:443//a", "/a"},
      {"http://x", "/"},  {"http://x?q", "/"},      {"http://[::1]:80/a", "/a"}, {"/auth/", "/auth/"},
      {"/Auth", "/Auth"}, {"/auth%2F", "/auth%2F"}, {"/http://x", "/http:/x"},
  };
  for (const auto& c : cases) {
    std::string path = "left over";
    const auto what = route(get(c.target), path);
    EXPECT_EQ(what.kind, Route::Kind::track) << c.target;
    EXPECT_EQ(path, c.path) << c.target;
    EXPECT_EQ(domain::to_string(what.token), token_text);
  }
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
      {"/%", Refusal::percent_encoding},
      {"/%a", Refusal::percent_encoding},
      {"/a?%zz", Refusal::percent_encoding},
      {"/\xC3\xA9", Refusal::target_byte},
      {"/?\x80", Refusal::target_byte},
      {"/a#b", Refusal::fragment},
      {"/a?b#c", Refusal::fragment},
      {"*", Refusal::target_form},
      {"a", Refusal::target_form},
      {"x:80", Refusal::target_form},
      {"ftp://x/", Refusal::target_form},
      {"http:/x", Refusal::target_form},
      {"http://", Refusal::target_form},
      {"http:///a", Refusal::target_form},
      {"http://u@x/a", Refusal::target_form},
      {"http://x:y/a", Refusal::target_form},
      {"?a", Refusal::target_form},
  };
  for (const auto& c : cases) {
    std::string path;
    const auto what = route(get(c.target), path);
    ASSERT_EQ(what.kind, Route::Kind::refuse) << c.target;
    EXPECT_EQ(what.refusal, c.refusal) << c.target;
  }
}

TEST(Route, RefusesAPathThatIsTooLongInNormalForm) {
  const std::string longest(domain::path_bytes_max - 1, 'p');
  std::string path;
  for (const auto& target : {"/" + longest, "/" + longest + "?query", "//x/../" + longest,
                             "/%61" + longest.substr(1), "http://a/" + longest}) {
    EXPECT_EQ(route(get(target), path).kind, Route::Kind::track) << target.size();
    EXPECT_EQ(path.size(), domain::path_bytes_max);
  }
  const std::string expanding(domain::path_bytes_max / 3 + 1, '"');
  for (const auto& target :
       {"/p" + longest, "/p" + longest + "?query", "/" + expanding, "http://a/p" + longest}) {
    EXPECT_EQ(route(get(target), path).kind, Route::Kind::refuse) << target.size();
    EXPECT_EQ(route(get(target), path).refusal, Refusal::path_too_long) << target.size();
  }
  EXPECT_EQ(route(get("/" + std::string(3 * domain::path_bytes_max, 'x') + "/../auth"), path).kind,
            Route::Kind::mint);
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

TEST(Route, FindsTheTokenBareOrBehindBearer) {
  const auto token = domain::parse_token(token_text);
  const std::string text = token_text;
  for (const auto& value : {text, "Bearer " + text, "bearer " + text, "BEARER   " + text}) {
    EXPECT_EQ(parse_authorization(value), token) << value;
  }
  for (const auto& value :
       {std::string(), std::string("Bearer"), "Bearer" + text, "Basic " + text, "Bearer\t" + text,
        "Bearer " + text + " x", "Bearer Bearer " + text, text + " ", "Token " + text}) {
    EXPECT_FALSE(parse_authorization(value).has_value()) << value;
  }
}

}  // namespace tracker::envoy
