#include "doors/counts_page.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace tracker::doors {
namespace {

std::string trouble(std::string_view query) {
  try {
    parse_counts_query(query);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(CountsPage, AQueryHasItsDefaults) {
  const auto query = parse_counts_query("");
  EXPECT_EQ(query.prefix, "");
  EXPECT_EQ(query.after, "");
  EXPECT_EQ(query.limit, 1'000U);
  EXPECT_EQ(parse_counts_query("prefix=").prefix, "") << "an empty field of a form";
}

TEST(CountsPage, AQueryIsPercentDecodedOnce) {
  const auto query = parse_counts_query("limit=10000&prefix=%2Fa%2520b+c%26&cursor=" + cursor_behind("/a&"));
  EXPECT_EQ(query.prefix, "/a%20b+c&");
  EXPECT_EQ(query.after, "/a&");
  EXPECT_EQ(query.limit, 10'000U);
  EXPECT_EQ(parse_counts_query("prefix=/a=b").prefix, "/a=b");
}

TEST(CountsPage, WhatIsWrongWithAQueryIsSaid) {
  for (const auto* limit :
       {"limit=0", "limit=10001", "limit=", "limit=-1", "limit=1x", "limit", "limit=99999999999999999999"})
    EXPECT_NE(trouble(limit).find("1 to 10000"), std::string::npos) << limit;
  for (const auto* prefix : {"prefix=a", "prefix=%20/"})
    EXPECT_NE(trouble(prefix).find("slash"), std::string::npos) << prefix;
  for (const auto* prefix : {"prefix=/%", "prefix=/%2", "prefix=/%zz"})
    EXPECT_NE(trouble(prefix).find("percent"), std::string::npos) << prefix;
  for (const auto* cursor : {"cursor=", "cursor=1", "cursor=/a", "cursor=AQ", "cursor=Ai9h", "cursor=AS9hh"})
    EXPECT_NE(trouble(cursor).find("next"), std::string::npos) << cursor;
  EXPECT_NE(trouble("limit=1&limit=1").find("twice"), std::string::npos);
  EXPECT_NE(trouble("token=x").find("unknown parameter"), std::string::npos);
  EXPECT_NE(trouble("&").find("unknown parameter"), std::string::npos);
}

TEST(CountsPage, ACursorIsReadAsItWasWrittenAndNothingElseIsOne) {
  EXPECT_EQ(cursor_behind("/a"), "AS9h");
  for (const std::string path : {"/", "/a", "/ab", "/abc", "/\xFF\xFE?>", "relative"}) {
    const auto cursor = cursor_behind(path);
    EXPECT_EQ(cursor.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
    EXPECT_EQ(read_cursor(cursor), path);
    EXPECT_EQ(read_cursor(cursor + "="), std::nullopt);
  }
  for (std::size_t bytes = 0; bytes < 100; ++bytes) {
    const std::string path = "/" + std::string(bytes, '\x5A');
    EXPECT_EQ(read_cursor(cursor_behind(path)), path);
  }
  EXPECT_EQ(read_cursor("AS9i"), "/b");
  EXPECT_EQ(read_cursor("AS8"), "/");
  EXPECT_EQ(read_cursor("AS9"), std::nullopt) << "bits are left over";
}

TEST(CountsPage, APageIsJson) {
  EXPECT_EQ(counts_json({}), R"({"counts":[]})");
  EXPECT_EQ(counts_json({.counts = {{"/\"a\\", 1}, {"/\xFF\xC3\xA4", INT64_MAX}}, .is_more = true}),
            R"({"counts":[{"path":"/\"a\\","count":1},{"path":"/)"
            "\xEF\xBF\xBD\xC3\xA4"
            R"(","count":9223372036854775807}],"next":")" +
                cursor_behind("/\xFF\xC3\xA4") + R"("})");
}

}  // namespace
}  // namespace tracker::doors
