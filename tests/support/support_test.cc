// Tests the judges: they must refuse what is wrong.

#include <gtest/gtest.h>

#include <ctime>
#include <string>

#include "support/answer_checks.h"
#include "support/endpoint.h"
#include "support/http_answer.h"
#include "support/program.h"
#include "support/request.h"

namespace tracker::tests {
namespace {

std::string current_date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  char text[64];
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", ::gmtime_r(&now, &utc));
  return text;
}

std::string answer_bytes(const std::string& status, const std::string& fields, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nDate: " + current_date() +
         "\r\nCache-Control: no-store\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields +
         "\r\n" + body;
}

const std::string json = "Content-Type: application/json\r\n";
const std::string problem_json = "Content-Type: application/problem+json\r\n";
const std::string problem = R"({"title":"Unauthorized","status":401,"detail":"There is no token."})";
const std::string bearer = "WWW-Authenticate: Bearer\r\n";

HttpAnswer parsed(const std::string& bytes, AnswerTo asked = AnswerTo::get) {
  std::size_t taken = 0;
  const auto answer = take_answer(bytes, asked, taken);
  EXPECT_TRUE(answer);
  EXPECT_EQ(taken, bytes.size());
  return answer.value_or(HttpAnswer{});
}

TEST(HttpAnswerTest, IsTakenWhole) {
  const HttpAnswer answer = parsed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX:  a b \r\n\r\nabc");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "abc");
  EXPECT_EQ(answer.field("x"), "a b");
  EXPECT_EQ(parsed("HTTP/1.1 405 No\r\nContent-Length: 3\r\n\r\n", AnswerTo::head).body, "");
}

TEST(HttpAnswerTest, IsIncompleteAtEveryPrefix) {
  const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::size_t taken = 0;
    EXPECT_FALSE(take_answer(bytes.substr(0, size), AnswerTo::get, taken)) << size;
    EXPECT_EQ(taken, 0u);
  }
}

TEST(HttpAnswerTest, MalformedOnesAreRefused) {
  for (const char* bytes :
       {"HTTP/1.1 200\r\n\r\n", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n",
        "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\x01\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n"}) {
    std::size_t taken = 0;
    EXPECT_THROW(take_answer(bytes, AnswerTo::get, taken), MalformedAnswer) << bytes;
  }
}

TEST(AnswerChecksTest, CountIsJudgedExactly) {
  EXPECT_TRUE(is_count(parsed(answer_bytes("200 OK", json, "{\"count\":7}")), 7));
  const std::string closing = json + "Connection: close\r\n";
  EXPECT_TRUE(is_count(parsed(answer_bytes("200 OK", closing, "{\"count\":7}")), 7, After::closes));

  EXPECT_FALSE(is_count(parsed(answer_bytes("200 OK", json, "{\"count\":7}")), 8));
  EXPECT_FALSE(is_count(parsed(answer_bytes("200 OK", json, "{\"count\": 7}")), 7));
  EXPECT_FALSE(is_count(parsed(answer_bytes("200 OK", json, "{\"count\":7}\n")), 7));
  EXPECT_FALSE(is_count(parsed(answer_bytes("201 Created", json, "{\"count\":7}")), 7));
  EXPECT_FALSE(is_count(parsed(answer_bytes("200 OK", "", "{\"count\":7}")), 7));
  EXPECT_FALSE(is_count(parsed(answer_bytes("200 OK", json + "Server: x\r\n", "{\"count\":7}")), 7));
  EXPECT_FALSE(is_count(parsed(answer_bytes("200 OK", json, "{\"count\":7}")), 7, After::closes));
  EXPECT_FALSE(is_count(parsed(answer_bytes("200 OK", closing, "{\"count\":7}")), 7));
  EXPECT_FALSE(is_count(parsed("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n" + json + "\r\n{\"count\":7}"), 7));
  EXPECT_THROW(count_in(parsed(answer_bytes("200 OK", json, "{\"count\":07}"))), std::runtime_error);
  EXPECT_THROW(count_in(parsed(answer_bytes("200 OK", json, "{\"count\":}"))), std::runtime_error);
}

TEST(AnswerChecksTest, TokenIsJudgedExactly) {
  const auto answer_with = [](const std::string& token) {
    return parsed(answer_bytes("200 OK", json, "{\"token\":\"" + token + "\"}"));
  };
  EXPECT_TRUE(is_token(answer_with("c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd")));
  EXPECT_EQ(token_in(answer_with("c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd")),
            "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd");
  for (const char* token : {"C6F6FD4B-B347-4AA1-B22D-C2A786EB82FD", "c6f6fd4b-b347-1aa1-b22d-c2a786eb82fd",
                            "c6f6fd4b-b347-4aa1-c22d-c2a786eb82fd", "c6f6fd4b-b347-4aa1-b22d-c2a786eb82f",
                            "c6f6fd4bb3474aa1b22dc2a786eb82fd"}) {
    EXPECT_FALSE(is_token(answer_with(token))) << token;
  }
}

TEST(AnswerChecksTest, RefusalIsJudgedExactly) {
  const std::string fields = problem_json + bearer;
  EXPECT_TRUE(is_refusal(parsed(answer_bytes("401 Unauthorized", fields, problem)), 401));

  EXPECT_FALSE(is_refusal(parsed(answer_bytes("401 Unauthorized", fields, problem)), 400));
  EXPECT_FALSE(is_refusal(parsed(answer_bytes("401 Unauthorized", problem_json, problem)), 401));
  EXPECT_FALSE(
      is_refusal(parsed(answer_bytes("401 Unauthorized", fields + "Retry-After: 1\r\n", problem)), 401));
  EXPECT_FALSE(is_refusal(parsed(answer_bytes("401 Unauthorized", json + bearer, problem)), 401));
  EXPECT_FALSE(is_refusal(parsed(answer_bytes("401 Unauthorized", fields, "{}")), 401));
  EXPECT_FALSE(is_refusal(parsed(answer_bytes("401 Unauthorized", fields, problem)), 401, After::closes));
  const std::string other_status = R"({"title":"x","status":400,"detail":"y"})";
  EXPECT_FALSE(is_refusal(parsed(answer_bytes("401 Unauthorized", fields, other_status)), 401));
}

TEST(AnswerChecksTest, ProblemNeedsTitleStatusAndDetail) {
  EXPECT_TRUE(is_problem(problem, 401));
  for (const char* body :
       {"", "[]", "not found", R"({"title":"x","status":401})", R"({"status":401,"detail":"y"})",
        R"({"title":"x","detail":"y"})", R"({"title":"x","status":"401","detail":"y"})",
        R"({"title":"","status":401,"detail":"y"})", R"({"title":"x","status":401,"detail":"y"}})",
        "{\"title\":\"x\",\"status\":401,\"detail\":\"a\nb\"}"}) {
    EXPECT_FALSE(is_problem(body, 401)) << body;
  }
}

TEST(AnswerChecksTest, DateIsAnImfFixdateOfNow) {
  EXPECT_TRUE(is_current_date(current_date()));
  std::string other_weekday = current_date();
  other_weekday.replace(0, 3, other_weekday.starts_with("Mon") ? "Tue" : "Mon");
  EXPECT_FALSE(is_current_date(other_weekday));
  EXPECT_FALSE(is_current_date("Sun, 06 Nov 1994 08:49:37 GMT"));
  EXPECT_FALSE(is_current_date("Sunday, 06-Nov-94 08:49:37 GMT"));
  EXPECT_FALSE(is_current_date(current_date() + " "));
  EXPECT_FALSE(is_current_date(""));
}

TEST(ListeningDoorsTest, AreReadFromTheFirstCompleteLine) {
  const std::string log =
      "[info] counts end with the process\n[info] listening envoy=127.0.0.1:41 health=[::1]:42\n";
  const auto doors = listening_doors(log);
  ASSERT_EQ(doors.size(), 2u);
  EXPECT_EQ(doors.at("envoy").to_string(), "127.0.0.1:41");
  EXPECT_EQ(doors.at("health").to_string(), "[::1]:42");
  EXPECT_TRUE(listening_doors("listening envoy=127.0.0.1:4").empty());
  EXPECT_TRUE(listening_doors("nothing\n").empty());
}

TEST(RequestTest, TokensAreFilledIn) {
  EXPECT_EQ(with_token("a $TOKEN $UPPER_TOKEN", "c6"), "a c6 C6");
}

}  // namespace
}  // namespace tracker::tests
