#include "domain/path.h"

#include <gtest/gtest.h>

#include <random>

namespace tracker::domain {

std::string normal(std::string_view raw) {
  std::string out;
  append_normal_path(raw, out);
  return out;
}

TEST(Path, NormalForm) {
  const struct {
    const char* raw;
    const char* normal;
  } cases[] = {
      {"/", "/"},
      {"/a", "/a"},
      {"//a", "/a"},
      {"/./a", "/a"},
      {"/b/../a", "/a"},
      {"/%61", "/a"},
      {"/a?x=1", "/a"},
      {"/?", "/"},
      {"/a?/../b?c", "/a"},
      {"/a/", "/a/"},
      {"/a//", "/a/"},
      {"/A", "/A"},
      {"/a%2Fb", "/a%2Fb"},
      {"/a%2fb", "/a%2Fb"},
      {"/a/b", "/a/b"},
      {"/a//../b", "/b"},
      {"/..", "/"},
      {"/../..", "/"},
      {"/../../a", "/a"},
      {"/.", "/"},
      {"/a/.", "/a/"},
      {"/a/..", "/"},
      {"/a/b/..", "/a/"},
      {"/a/b/../", "/a/"},
      {"/a/b/../../c", "/c"},
      {"/%2e%2E/a/%2e", "/a/"},
      {"/...", "/..."},
      {"/.a", "/.a"},
      {"/..a/a..", "/..a/a.."},
      {"/a.b", "/a.b"},
      {"/%2e%2e%2e", "/..."},
      {"/\"<>\\^`{|}", "/%22%3C%3E%5C%5E%60%7B%7C%7D"},
      {"/%22%3c%3e%5c%5e%60%7b%7c%7d", "/%22%3C%3E%5C%5E%60%7B%7C%7D"},
      {"/%7e%2D%5f%41%7A%30", "/~-_Az0"},
      {"/%00%0a%ff%25", "/%00%0A%FF%25"},
      {"/%2561", "/%2561"},  // decoded once, not twice
      {"/%2e%2f%2e%2e", "/.%2F.."},
      {"/!$&'()*+,;=:@[]", "/!$&'()*+,;=:@[]"},
      {"/%21%5b", "/%21%5B"},
      {"/a;b=c/../d", "/d"},
      {"/%3Fx", "/%3Fx"},
  };
  for (const auto& c : cases) EXPECT_EQ(normal(c.raw), c.normal) << c.raw;
}

TEST(Path, AppendsBehindWhatIsThere) {
  std::string out = "/x/y";
  append_normal_path("/../../a/..", out);
  EXPECT_EQ(out, "/x/y/");
  append_normal_path("/b", out);
  EXPECT_EQ(out, "/x/y//b");
}

TEST(Path, NormalFormOfANormalFormIsItself) {
  std::mt19937 random(1);  // NOLINT: the same paths in every run
  constexpr std::string_view pieces[] = {"/",   "/",   ".",  "..", "a", "%61",
                                         "%2f", "%2E", "\"", "?",  "[", "%25"};
  for (int round = 0; round < 20000; ++round) {
    std::string raw = "/";
    for (auto n = random() % 12; n > 0; --n) raw += pieces[random() % std::size(pieces)];
    const auto once = normal(raw);
    EXPECT_EQ(normal(once), once) << raw;
    EXPECT_EQ(once.front(), '/') << raw;
    EXPECT_EQ(once.find("//"), std::string::npos) << raw;
    EXPECT_LE(once.size(), 3 * raw.size()) << raw;
  }
}

}  // namespace tracker::domain
