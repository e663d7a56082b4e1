#include "rpc/own_counts_message.h"

#include <gtest/gtest.h>

namespace tracker::rpc {

TEST(OwnCountsMessage, ARequestIsReadAsItWasWritten) {
  const OwnCountsRequest request{domain::random_token(),
                                 {.prefix = "/a", .after = "/a\xFF", .limit = 10'000}};
  std::string message;
  append_request(request, message);
  const auto read = read_own_counts_request(message);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->token, request.token);
  EXPECT_EQ(read->query.prefix, "/a");
  EXPECT_EQ(read->query.after, "/a\xFF");
  EXPECT_EQ(read->query.limit, 10'000U);
}

TEST(OwnCountsMessage, ARequestHasAWholeTokenAndALimit) {
  std::string without_limit;
  append_request({domain::random_token(), {}}, without_limit);
  EXPECT_FALSE(read_own_counts_request(without_limit));
  EXPECT_FALSE(read_own_counts_request(""));
  EXPECT_FALSE(read_own_counts_request("\x0A\x02no\x20\x01"));
  EXPECT_FALSE(read_own_counts_request("\xFF"));
}

TEST(OwnCountsMessage, CountsAreReadAsTheyWereWritten) {
  const store::TokenCounts counts{
      .record = {.minted_s = 5}, .counts = {{"/a", 1}, {"/\xFF", INT64_MAX}}, .is_more = true};
  std::string message;
  append_own_counts(counts, message);
  EXPECT_EQ(read_own_counts(message), counts);
  EXPECT_EQ(read_own_counts(""), store::TokenCounts{});
  EXPECT_FALSE(read_own_counts("\x18\x01")) << "more, behind nothing";
  EXPECT_FALSE(read_own_counts("\xFF"));
}

TEST(OwnCountsMessage, FailuresKeepTheirKindAndNoTokenIsCalledUnknownByMistake) {
  using Kind = counter::ReadFailure::Kind;
  for (const auto kind : {Kind::unknown_token, Kind::busy, Kind::unavailable, Kind::unsupported})
    EXPECT_EQ(failure_of(status_of(counter::ReadFailure{kind, "why"})).kind, kind);
  for (int code = 1; code <= 16; ++code) {
    const auto status = static_cast<StatusCode>(code);
    EXPECT_EQ(failure_of({status, ""}).kind == Kind::unknown_token, status == StatusCode::not_found);
  }
}

}  // namespace tracker::rpc
