#include "envoy/access_log.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <system_error>

#include "envoy/exchange.h"

namespace tracker::envoy {
namespace {

using std::chrono_literals::operator""s;

class AccessLogTest : public testing::Test {
 protected:
  AccessLogTest() {
    std::string name = std::filesystem::temp_directory_path() / "access_log_XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category());
    directory_ = name;
    file_.emplace(directory_ / "log", "the log", 1024 * 1024);
  }
  ~AccessLogTest() override {
    file_.reset();
    std::filesystem::remove_all(directory_);
  }

  AccessLogSettings settings(runtime::LogFormat format, std::size_t sample = 1) {
    return {.path = "log", .sample = sample, .file = &*file_, .format = format};
  }

  std::string text() {
    EXPECT_TRUE(file_->flush(20s));
    std::ifstream stream(directory_ / "log");
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  static void log_hit(AccessLog& log, const std::string& path) {
    Exchange exchange{.answer = Exchange::Answer::count, .count = 3, .access = log.begin()};
    if (exchange.access == nullptr) return;
    exchange.access->method = "GET";
    exchange.access->path = path;
    exchange.access->token = domain::TokenId{{1, 2, 3}};
    log.log(exchange, "127.0.0.1:5000", 150);
  }

  std::filesystem::path directory_;
  std::optional<runtime::LineFile> file_;
};

constexpr const char* time_pattern = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)";

TEST_F(AccessLogTest, ALineHasItsColumns) {
  AccessLog log(settings(runtime::LogFormat::text));
  log_hit(log, "/a");
  Exchange refused{.answer = Exchange::Answer::refusal, .refusal = Refusal::no_token, .access = log.begin()};
  log.log(refused, "", 9);
  EXPECT_EQ(text(), "") << "before the end of the turn";
  log.hand_over();
  const std::regex lines(std::string(time_pattern) +
                         " GET /a 200 3 01020300000000000000000000000000 127\\.0\\.0\\.1:5000 150 [0-9]+\n" +
                         time_pattern + " - - 401 no_token - - 9 [0-9]+\n");
  EXPECT_TRUE(std::regex_match(text(), lines)) << text();
}

TEST_F(AccessLogTest, InJsonALineIsAnObject) {
  AccessLog log(settings(runtime::LogFormat::json));
  log_hit(log, "/a");
  Exchange refused{.answer = Exchange::Answer::refusal, .refusal = Refusal::no_token, .access = log.begin()};
  log.log(refused, "", 9);
  log.hand_over();
  const std::regex lines(
      std::string(R"(\{"time":")") + time_pattern +
      R"(","method":"GET","path":"/a","status":200,"count":3,"token":"01020300000000000000000000000000",)" +
      R"("client":"127\.0\.0\.1:5000","bytes":150,"duration_us":\d+\})" + "\n" + R"(\{"time":")" +
      time_pattern + R"(","status":401,"refusal":"no_token","bytes":9,"duration_us":\d+\})" + "\n");
  EXPECT_TRUE(std::regex_match(text(), lines)) << text();
}

TEST_F(AccessLogTest, AMintedTokenIsNamedByItsId) {
  AccessLog log(settings(runtime::LogFormat::text));
  Exchange exchange{.answer = Exchange::Answer::token, .access = log.begin()};
  log.log(exchange, "", 9);
  log.hand_over();
  EXPECT_NE(text().find(" 200 - " + to_string(domain::token_id(domain::Token{})) + " "), std::string::npos)
      << text();
}

// Whatever a path may hold, now or later.
TEST_F(AccessLogTest, NoPathMakesALineOrAColumn) {
  for (const auto format : {runtime::LogFormat::text, runtime::LogFormat::json}) {
    AccessLog log(settings(format));
    log_hit(log, "/a b\n\"\\\x7F\xC3\t~");
    log.hand_over();
    EXPECT_NE(text().find("/a%20b%0A%22%5C%7F%C3%09~"), std::string::npos) << text();
  }
  EXPECT_EQ(std::ranges::count(text(), '\n'), 2);
}

TEST_F(AccessLogTest, ASampleIsExactAndFollowsNoPattern) {
  AccessLog log(settings(runtime::LogFormat::text, 10));
  for (int i = 0; i < 10'000; ++i) log_hit(log, "/" + std::to_string(i % 10));
  log.hand_over();
  const auto lines = text();
  EXPECT_EQ(std::ranges::count(lines, '\n'), 1'000);
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(lines.find(" /" + std::to_string(i) + " "), std::string::npos) << i;
  }
}

TEST(RefusalNameTest, EachNameStandsAtItsPlace) {
  EXPECT_EQ(name_of(Refusal::http_version), "http_version");
  EXPECT_EQ(name_of(Refusal::percent_encoding), "percent_encoding");
  EXPECT_EQ(name_of(Refusal::no_token), "no_token");
  EXPECT_EQ(name_of(Refusal::auth_closed), "auth_closed");
  EXPECT_EQ(name_of(Refusal::minted_too_often), "minted_too_often");
  EXPECT_EQ(name_of(Refusal::not_minted), "not_minted");
  EXPECT_EQ(name_of(Refusal::perhaps_counted), "perhaps_counted");
  EXPECT_EQ(name_of(Refusal::too_many_of_this_address), "too_many_of_this_address");
}

}  // namespace
}  // namespace tracker::envoy
