#include "domain/target.h"

#include <gtest/gtest.h>

#include "domain/path.h"

namespace tracker::domain {

TEST(Target, HasAPathInNormalForm) {
  const struct {
    const char* target;
    const char* path;
  } cases[] = {
      {"/", "/"},         {"/a/../b?c=%41", "/b"},  {"http://x/a", "/a"},        {"HTTPS://x:443//a", "/a"},
      {"http://x", "/"},  {"http://x?q", "/"},      {"http://[::1]:80/a", "/a"}, {"/auth/", "/auth/"},
      {"/Auth", "/Auth"}, {"/auth%2F", "/auth%2F"}, {"/http://x", "/http:/x"},   {"/%61", "/a"},
  };
  for (const auto& c : cases) {
    std::string path = "left over";
    EXPECT_EQ(read_target(c.target, path), Target::path) << c.target;
    EXPECT_EQ(path, c.path) << c.target;
  }
}

TEST(Target, CanBeBad) {
  const struct {
    const char* target;
    Target found;
  } cases[] = {
      {"/%zz", Target::bad_percent_encoding},
      {"/%", Target::bad_percent_encoding},
      {"/%a", Target::bad_percent_encoding},
      {"/a?%zz", Target::bad_percent_encoding},
      {"/\xC3\xA9", Target::bad_byte},
      {"/?\x80", Target::bad_byte},
      {"/a#b", Target::fragment},
      {"/a?b#c", Target::fragment},
      {"*", Target::bad_form},
      {"a", Target::bad_form},
      {"x:80", Target::bad_form},
      {"ftp://x/", Target::bad_form},
      {"http:/x", Target::bad_form},
      {"http://", Target::bad_form},
      {"http:///a", Target::bad_form},
      {"http://u@x/a", Target::bad_form},
      {"http://x:y/a", Target::bad_form},
      {"?a", Target::bad_form},
  };
  for (const auto& c : cases) {
    std::string path;
    EXPECT_EQ(read_target(c.target, path), c.found) << c.target;
  }
}

TEST(Target, IsTheWorstThatApplies) {
  std::string path;
  EXPECT_EQ(read_target("a#\xC3\xA9%zz", path), Target::bad_percent_encoding);
  EXPECT_EQ(read_target("a#\xC3\xA9", path), Target::bad_byte);
  EXPECT_EQ(read_target("a#", path), Target::fragment);
}

TEST(Target, MayHaveAPathThatIsTooLongInNormalForm) {
  const std::string longest(path_bytes_max - 1, 'p');
  std::string path;
  for (const auto& target : {"/" + longest, "/" + longest + "?query", "//x/../" + longest,
                             "/%61" + longest.substr(1), "http://a/" + longest}) {
    EXPECT_EQ(read_target(target, path), Target::path) << target.size();
    EXPECT_EQ(path.size(), path_bytes_max);
  }
  const std::string expanding(path_bytes_max / 3 + 1, '"');
  for (const auto& target :
       {"/p" + longest, "/p" + longest + "?query", "/" + expanding, "http://a/p" + longest}) {
    EXPECT_EQ(read_target(target, path), Target::path_too_long) << target.size();
  }
  EXPECT_EQ(read_target("/" + std::string(3 * path_bytes_max, 'x') + "/../auth", path), Target::path);
  EXPECT_EQ(path, "/auth");
}

TEST(Authority, IsAHostWithOrWithoutAPort) {
  for (const auto* text :
       {"a", "a:", "a:80", "a:65535", "a.b-c_d~e", "%41", "127.0.0.1:80", "[::1]", "[::1]:80"}) {
    EXPECT_TRUE(is_authority(text)) << text;
  }
  for (const auto* text : {"", ":80", "a:b", "a:65536", "a:000080", "u@a", "a b", "a/", "%4", "%zz", "[::1",
                           "[a]", "[::1]80", "a:80:80"}) {
    EXPECT_FALSE(is_authority(text)) << text;
  }
}

}  // namespace tracker::domain
