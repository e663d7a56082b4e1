#include "envoy/answer.h"

#include <gtest/gtest.h>

namespace tracker::envoy {

constexpr std::time_t rfc_moment = 784111777;  // RFC 9110, section 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT

TEST(Answer, Count) {
  std::string out = "before";
  AnswerWriter(rfc_moment).append_count(1234, Persistence::stays, out);
  EXPECT_EQ(out,
            "before"
            "HTTP/1.1 200 OK\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/json\r\n"
            "Cache-Control: no-store\r\n"
            "Content-Length: 14\r\n"
            "\r\n"
            "{\"count\":1234}");
}

TEST(Answer, TokenAndPersistence) {
  std::string out;
  const auto token = domain::parse_token("c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd").value();
  AnswerWriter(rfc_moment).append_token(token, Persistence::stays_1_0, out);
  EXPECT_NE(out.find("\r\nContent-Length: 48\r\nConnection: keep-alive\r\n\r\n"
                     "{\"token\":\"c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd\"}"),
            std::string::npos)
      << out;
}

TEST(Answer, RefusalIsAProblem) {
  std::string out;
  AnswerWriter(rfc_moment).append_refusal(Refusal::http_version, Persistence::closes, true, out);
  EXPECT_EQ(out,
            "HTTP/1.1 505 HTTP Version Not Supported\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/problem+json\r\n"
            "Cache-Control: no-store\r\n"
            "Content-Length: 109\r\n"
            "Connection: close\r\n"
            "\r\n"
            "{\"title\":\"HTTP Version Not Supported\",\"status\":505,"
            "\"detail\":\"This server speaks HTTP/1.1 and HTTP/1.0 only.\"}");
}

TEST(Answer, ToHeadHasNoBody) {
  std::string out;
  AnswerWriter(rfc_moment).append_refusal(Refusal::method_not_allowed, Persistence::stays, false, out);
  EXPECT_TRUE(out.ends_with("\r\n\r\n")) << out;
  EXPECT_NE(out.find("\r\nAllow: GET\r\n"), std::string::npos);
}

TEST(Answer, MaySayAfterWhichTime) {
  std::string out;
  AnswerWriter(rfc_moment).append_refusal(Refusal::minted_too_often, Persistence::stays, true, out, 17);
  EXPECT_TRUE(out.starts_with("HTTP/1.1 429 Too Many Requests\r\n")) << out;
  EXPECT_NE(out.find("\r\nRetry-After: 17\r\n"), std::string::npos) << out;
}

TEST(Answer, TextsNeedNoEscaping) {
  for (std::size_t i = 0; i < refusal_count; ++i) {
    const auto& text = text_of(static_cast<Refusal>(i));
    EXPECT_EQ(text.detail.find_first_of("\"\\"), std::string_view::npos);
    EXPECT_FALSE(text.detail.empty());
    EXPECT_EQ(text.status == 503, text.fields.find("Retry-After") != std::string_view::npos);
  }
}

TEST(Answer, TheDateFollowsTheClock) {
  AnswerWriter answers(0);
  std::string out;
  answers.append_count(1, Persistence::stays, out);
  EXPECT_NE(out.find("Thu, 01 Jan 1970 00:00:00 GMT"), std::string::npos);
  answers.set_time(rfc_moment);
  out.clear();
  answers.append_count(1, Persistence::stays, out);
  EXPECT_NE(out.find("Sun, 06 Nov 1994 08:49:37 GMT"), std::string::npos);
}

}  // namespace tracker::envoy
