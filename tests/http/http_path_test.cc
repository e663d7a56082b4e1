// The path in normal form: which targets are the same path, and which are not.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "support/caller.h"
#include "support/deployment.h"

namespace tracker::tests {
namespace {

using HttpPathTest = DeploymentTest;
TRACKER_OVER_ALL_DEPLOYMENTS(HttpPathTest);

// The targets of one group are one path. Those of two groups are always different paths.
using PathGroups = std::vector<std::vector<std::string>>;

void expect_one_path_per_group(const Endpoint& envoy, const PathGroups& groups) {
  Caller caller(envoy);
  const std::string token = caller.mint();
  for (const auto& targets : groups) {
    std::int64_t count = 0;
    for (const std::string& target : targets) {
      EXPECT_TRUE(is_count(caller.ask(get(target, token)), ++count)) << target << " like " << targets.front();
    }
  }
}

TEST_P(HttpPathTest, ContractsExamples) {
  expect_one_path_per_group(shared().envoy(), {{"/a", "//a", "/./a", "/b/../a", "/%61", "/a?x=1"},
                                               {"/a/"},
                                               {"/A"},
                                               {"/a%2Fb"},
                                               {"/a/b"},
                                               {"/b", "/a//../b"}});
}

TEST_P(HttpPathTest, QueryIsDropped) {
  expect_one_path_per_group(shared().envoy(),
                            {{"/a", "/a?", "/a?x", "/a??", "/a?/b", "/a?x=/../c", "/a?x?y=%20&z"},
                             {"/a/", "/a/?x", "/a/?/.."},
                             {"/", "/?", "/?a", "/?/a"},
                             {"/a%3Fx", "/a%3fx"}});
}

TEST_P(HttpPathTest, SlashesAreMerged) {
  expect_one_path_per_group(shared().envoy(), {{"/", "//", "///"},
                                               {"/a", "///a", "//a"},
                                               {"/a/", "/a//", "//a///"},
                                               {"/a/b", "/a//b", "//a///b"},
                                               {"/a%2F%2Fb", "/a%2f%2fb"}});
}

TEST_P(HttpPathTest, DotSegmentsAreResolved) {
  expect_one_path_per_group(
      shared().envoy(), {{"/", "/.", "/./", "/..", "/../", "/a/..", "/a/../", "/a/b/../..", "/../..", "/./..",
                          "/%2e", "/%2E%2e/"},
                         {"/a", "/./a", "/../a", "/../../a", "/b/c/../../a", "/a/b/../../a", "/%2e/a",
                          "/%2E/a", "/b/%2e%2E/a", "/b/.%2e/a", "/b/%2e./a", "/b/../../a"},
                         {"/a/", "/a/.", "/a/./", "/a/b/..", "/a/b/../", "/a/%2e", "/a/b/%2e%2e"},
                         {"/b", "/a//../b", "/a///..//b", "/a/.//../b"},
                         {"/a/c", "/a/b/../c", "/a/./c", "/a/././c", "/a/b//../c"},
                         {"/..a"},
                         {"/a.."},
                         {"/..."},
                         {"/.a"},
                         {"/a."},
                         {"/.../a", "/.../b/../a"},
                         {"/a%2F..%2Fb", "/a%2f%2e%2e%2fb"}});
}

TEST_P(HttpPathTest, UnreservedCharactersAreDecoded) {
  expect_one_path_per_group(shared().envoy(), {{"/azAZ09", "/%61%7a%41%5a%30%39", "/%61%7A%41%5A%30%39"},
                                               {"/-._~", "/%2d%2e%5f%7e", "/%2D%2E%5F%7E"},
                                               {"/a", "/%61"},
                                               {"/A", "/%41"}});
}

TEST_P(HttpPathTest, EverythingElseStaysEncodedInUpperCase) {
  expect_one_path_per_group(shared().envoy(),
                            {{"/%2F", "/%2f"},
                             {"/%25", "/%25"},
                             {"/%2561", "/%25%36%31"},
                             {"/%20", "/%20"},
                             {"/%C3%A9", "/%c3%a9", "/%C3%a9"},
                             {"/%00"},
                             {"/%7F", "/%7f"},
                             {"/%0D%0A", "/%0d%0a"},
                             {"/!"},
                             {"/%21"},
                             {"/;"},
                             {"/%3B", "/%3b"},
                             {"/:"},
                             {"/%3A", "/%3a"},
                             {"/@"},
                             {"/%40"},
                             {"/$&'()*+,="},
                             {"/%24%26%27%28%29%2A%2B%2C%3D", "/%24%26%27%28%29%2a%2b%2c%3d"}});
}

TEST_P(HttpPathTest, BareBytesThatAPathMayNotHoldAreEncoded) {
  expect_one_path_per_group(shared().envoy(), {{"/\"<>\\^`{|}", "/%22%3C%3E%5C%5E%60%7B%7C%7D",
                                                "/%22%3c%3e%5c%5e%60%7b%7c%7d", "/%22<>%5C^`{%7C}"},
                                               {"/\"", "/%22"},
                                               {"/<", "/%3C"},
                                               {"/>", "/%3E"},
                                               {"/\\", "/%5c"},
                                               {"/^", "/%5E"},
                                               {"/`", "/%60"},
                                               {"/{", "/%7b"},
                                               {"/|", "/%7C"},
                                               {"/}", "/%7D"},
                                               {"/a\\..\\b"}});
}

TEST_P(HttpPathTest, AbsoluteTargetsCountAsTheirPath) {
  expect_one_path_per_group(
      shared().envoy(), {{"/a", "http://tracker/a", "https://tracker/a", "http://other:8080/a",
                          "HTTP://tracker/a", "HttpS://tracker/a?x", "http://tracker//a",
                          "http://tracker/b/../%61", "http://127.0.0.1/a", "http://[::1]:80/a"},
                         {"/", "http://tracker", "http://tracker/", "http://tracker?x", "http://tracker:80",
                          "https://tracker/?/a"},
                         {"/http://tracker/a", "/http:/tracker/a"}});
}

TEST_P(HttpPathTest, LongPathsAreToldApartAtTheirLastByte) {
  const std::string path = "/" + std::string(4000, 'x');
  expect_one_path_per_group(shared().envoy(), {{path, path, "/" + path}, {path + "y"}, {path + "z"}});
}

}  // namespace
}  // namespace tracker::tests
