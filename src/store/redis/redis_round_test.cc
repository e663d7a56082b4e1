#include "store/redis/redis_round.h"

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <memory>

#include "domain/token.h"

namespace tracker::store::redis {

using domain::Verdict;

/// Parses one reply in the bytes that Redis would send.
std::shared_ptr<redisReply> reply_of(std::string_view bytes) {
  const std::unique_ptr<redisReader, void (*)(redisReader*)> reader(redisReaderCreate(), redisReaderFree);
  redisReaderFeed(reader.get(), bytes.data(), bytes.size());
  void* reply = nullptr;
  EXPECT_EQ(redisReaderGetReply(reader.get(), &reply), REDIS_OK);
  EXPECT_NE(reply, nullptr) << bytes;
  return {static_cast<redisReply*>(reply), freeReplyObject};
}

struct Verdicts final : TrackReply {
  explicit Verdicts(std::size_t hits) : all(hits) {}
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    for (const auto& [hit, verdict] : verdicts) {
      EXPECT_FALSE(all.at(hit).has_value());
      all.at(hit) = verdict;
    }
  }
  std::vector<std::optional<Verdict>> all;
};

using Expected = std::vector<std::optional<Verdict>>;

class RedisRoundTest : public testing::Test {
 protected:
  const domain::TokenId low_{{1}};
  const domain::TokenId high_{{2}};
  link::Gather message_;
  RedisRound round_;
  const TokenRules rules_{.now_s = [] { return domain::Seconds{1'700'000'000}; }, .paths_max = 5};
};

TEST(RedisCommand, IsWrittenInResp) {
  std::string out = "before";
  append_command({"SET", std::string_view("a\0b", 3), ""}, out);
  EXPECT_EQ(out, std::string("before*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$0\r\n\r\n", 34));
}

TEST_F(RedisRoundTest, OneCallForAllTokensAndOneIncrementForEachPath) {
  domain::HitBatch first;
  first.push(high_, "/b");
  first.push(low_, "/x");
  first.push(high_, "/a");
  first.push(high_, "/b");
  domain::HitBatch second;
  second.push(high_, "/b");
  Verdicts first_verdicts(first.size());
  Verdicts second_verdicts(second.size());
  message_.add(first, first_verdicts);
  message_.add(second, second_verdicts);
  round_.begin(message_, false);
  ASSERT_EQ(round_.calls(), 1U);

  std::string out;
  round_.append(0, RedisRound::Form::hash, "fence", rules_, out);
  std::string expected;
  append_command({"EVALSHA", track_script_sha1(), "3", redis_key(low_), redis_key(high_), redis_key(high_),
                  "fence", "/x", "1", "/a", "1", "/b", "3", "1700000000", "5", "0"},
                 expected);
  EXPECT_EQ(out, expected);
  out.clear();
  expected.clear();
  round_.append(0, RedisRound::Form::text, "fence", rules_, out);
  append_command({"EVAL", track_script, "3", redis_key(low_), redis_key(high_), redis_key(high_), "fence",
                  "/x", "1", "/a", "1", "/b", "3", "1700000000", "5", "0"},
                 expected);
  EXPECT_EQ(out, expected);

  EXPECT_FALSE(round_.take(0, *reply_of("*3\r\n$-1\r\n:7\r\n:12\r\n")).has_value());
  EXPECT_TRUE(message_.deliver());
  EXPECT_EQ(first_verdicts.all, (Expected{Verdict::counted(10), Verdict::unknown_token(), Verdict::counted(7),
                                          Verdict::counted(11)}));
  EXPECT_EQ(second_verdicts.all, Expected{Verdict::counted(12)});
}

TEST_F(RedisRoundTest, ApartEachTokenHasACallOfItsOwn) {
  domain::HitBatch hits;
  hits.push(high_, "/b");
  hits.push(low_, "/x");
  hits.push(high_, "/a");
  Verdicts verdicts(hits.size());
  message_.add(hits, verdicts);
  round_.begin(message_, true);
  ASSERT_EQ(round_.calls(), 2U);
  EXPECT_EQ(round_.token(0), low_);
  EXPECT_EQ(round_.token(1), high_);
  std::string out;
  round_.append(1, RedisRound::Form::hash, "fence", rules_, out);
  std::string expected;
  append_command({"EVALSHA", track_script_sha1(), "2", redis_key(high_), redis_key(high_), "fence", "/a", "1",
                  "/b", "1", "1700000000", "5", "0"},
                 expected);
  EXPECT_EQ(out, expected);

  round_.take(1, *reply_of("*2\r\n:1\r\n:2\r\n"));
  EXPECT_FALSE(message_.deliver()) << "the hits of the other token are still under way";
  EXPECT_EQ(verdicts.all, (Expected{Verdict::counted(2), std::nullopt, Verdict::counted(1)}));
  round_.settle_call(0, Verdict::not_counted());
  EXPECT_TRUE(message_.deliver());
  EXPECT_EQ(verdicts.all[1], Verdict::not_counted());
}

TEST_F(RedisRoundTest, ACallHasABoundedNumberOfIncrements) {
  domain::HitBatch hits;
  for (std::uint32_t path = 0; path < RedisRound::increments_max + 1; ++path) {
    hits.push(low_, "/" + std::to_string(path));
    hits.push(low_, "/" + std::to_string(path));
  }
  Verdicts verdicts(hits.size());
  message_.add(hits, verdicts);
  round_.begin(message_, false);
  ASSERT_EQ(round_.calls(), 2U);
  std::string all = "*" + std::to_string(RedisRound::increments_max) + "\r\n";
  for (std::uint32_t i = 0; i < RedisRound::increments_max; ++i) all += ":2\r\n";
  EXPECT_TRUE(round_.can_return(0, *reply_of(all)));
  EXPECT_TRUE(round_.can_return(1, *reply_of("*1\r\n:2\r\n")));
  round_.take(0, *reply_of(all));
  EXPECT_FALSE(message_.deliver());
  round_.take(1, *reply_of("*1\r\n:2\r\n"));
  EXPECT_TRUE(message_.deliver());
  for (std::size_t hit = 0; hit < hits.size(); ++hit) {
    EXPECT_EQ(verdicts.all[hit], Verdict::counted(static_cast<std::int64_t>(hit % 2 + 1)));
  }
}

TEST_F(RedisRoundTest, ACallHasABoundedNumberOfBytes) {
  domain::HitBatch hits;
  constexpr std::size_t path_bytes = 24 * 1024;
  for (char path = 'a'; path < 'h'; ++path) hits.push(low_, std::string(path_bytes, path));
  Verdicts verdicts(hits.size());
  message_.add(hits, verdicts);
  round_.begin(message_, false);
  EXPECT_EQ(round_.calls(), 3U);
  for (std::uint32_t call = 0; call < round_.calls(); ++call) {
    std::string out;
    round_.append(call, RedisRound::Form::hash, "fence", rules_, out);
    EXPECT_LT(out.size(), RedisRound::path_bytes_max + path_bytes + 1024);
    round_.settle_call(call, Verdict::not_counted());
  }
  EXPECT_TRUE(message_.deliver());
}

TEST_F(RedisRoundTest, TheScriptCannotReturnAnythingElse) {
  domain::HitBatch hits;
  hits.push(low_, "/a");
  hits.push(low_, "/b");
  hits.push(high_, "/a");
  Verdicts verdicts(hits.size());
  message_.add(hits, verdicts);
  round_.begin(message_, false);
  for (const char* reply :
       {"*3\r\n:1\r\n:1\r\n:1\r\n", "*3\r\n$-1\r\n$-1\r\n:1\r\n", "*3\r\n:1\r\n-WRONGTYPE x\r\n$-1\r\n"}) {
    EXPECT_TRUE(round_.can_return(0, *reply_of(reply))) << reply;
  }
  for (const char* reply :
       {"*0\r\n", "*2\r\n:1\r\n:1\r\n", "*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n", "$-1\r\n", ":1\r\n", "+OK\r\n",
        "*3\r\n:1\r\n:1\r\n-NOSCRIPT x\r\n", "*3\r\n:1\r\n:1\r\n$1\r\n1\r\n",
        "*3\r\n:1\r\n:1\r\n*1\r\n:1\r\n", "*3\r\n:1\r\n$-1\r\n:1\r\n", "*3\r\n$-1\r\n-ERR x\r\n:1\r\n"}) {
    EXPECT_FALSE(round_.can_return(0, *reply_of(reply))) << reply;
  }
  round_.settle_call(0, Verdict::perhaps_counted());
}

TEST_F(RedisRoundTest, AHitThatHasItsVerdictGetsNoOther) {
  domain::HitBatch hits;
  hits.push(low_, "/a");
  hits.push(low_, "/a");
  hits.push(low_, "/b");
  Verdicts verdicts(hits.size());
  message_.add(hits, verdicts);
  round_.begin(message_, false);
  round_.take(0, *reply_of("*2\r\n:2\r\n:3\r\n"));
  round_.take(0, *reply_of("*2\r\n:4\r\n:9\r\n"));
  round_.settle_call(0, Verdict::perhaps_counted());
  EXPECT_TRUE(message_.deliver());
  EXPECT_EQ(verdicts.all, (Expected{Verdict::counted(1), Verdict::counted(2), Verdict::counted(3)}));
}

TEST_F(RedisRoundTest, ACountThatIsLessThanWasAddedIsNoAnswer) {
  const std::pair<const char*, bool> rows[] = {{"*1\r\n:9223372036854775807\r\n", true},
                                               {"*1\r\n:2\r\n", true},
                                               {"*1\r\n:1\r\n", false},
                                               {"*1\r\n:0\r\n", false},
                                               {"*1\r\n:-1\r\n", false},
                                               {"*1\r\n:-9223372036854775808\r\n", false}};
  for (const auto& [reply, is_count] : rows) {
    SCOPED_TRACE(reply);
    RedisRound round;
    domain::HitBatch hits;
    hits.push(low_, "/a");
    hits.push(low_, "/a");
    Verdicts verdicts(hits.size());
    link::Gather message;
    message.add(hits, verdicts);
    round.begin(message, false);
    const auto its = reply_of(reply);
    const auto no_count = round.take(0, *its);
    EXPECT_EQ(!no_count.has_value(), is_count);
    EXPECT_TRUE(message.deliver());
    const auto count = its->element[0]->integer;
    EXPECT_EQ(verdicts.all, is_count ? (Expected{Verdict::counted(count - 1), Verdict::counted(count)})
                                     : (Expected{Verdict::perhaps_counted(), Verdict::perhaps_counted()}));
  }
}

// Replies come in pieces. The owner of a batch may reuse it after its last verdict, before the last call is answered.
TEST_F(RedisRoundTest, ABatchIsNotLookedAtAfterItsLastVerdict) {
  domain::HitBatch first;
  first.push(low_, "/a");
  domain::HitBatch second;
  second.push(low_, "/b");
  for (std::uint32_t i = 0; i < RedisRound::increments_max; ++i) second.push(low_, "/c" + std::to_string(i));
  Verdicts first_verdicts(first.size());
  Verdicts second_verdicts(second.size());
  message_.add(first, first_verdicts);
  message_.add(second, second_verdicts);
  round_.begin(message_, false);
  ASSERT_EQ(round_.calls(), 2U);
  round_.settle_call(0, Verdict::unknown_token());
  EXPECT_FALSE(message_.deliver());
  EXPECT_EQ(first_verdicts.all, Expected{Verdict::unknown_token()});
  first.clear();
  first.push(high_, "/another");

  EXPECT_EQ(round_.token(0), low_);
  EXPECT_EQ(round_.token(1), low_) << "which is to be named in the log";
  const auto reply = reply_of("*2\r\n-OOM no\r\n:1\r\n");
  ASSERT_TRUE(round_.can_return(1, *reply));
  const auto no_count = round_.take(1, *reply);
  ASSERT_TRUE(no_count.has_value());
  EXPECT_EQ(no_count->token, low_);
  EXPECT_TRUE(message_.deliver());
}

TEST_F(RedisRoundTest, AnErrorFailsItsOwnHits) {
  domain::HitBatch hits;
  hits.push(low_, "/bad");
  hits.push(low_, "/good");
  hits.push(high_, "/good");
  Verdicts verdicts(hits.size());
  message_.add(hits, verdicts);
  round_.begin(message_, false);
  const auto reply = reply_of("*3\r\n-ERR hash value is not an integer\r\n:3\r\n:5\r\n");
  const auto no_count = round_.take(0, *reply);
  ASSERT_TRUE(no_count.has_value());
  EXPECT_EQ(no_count->reply, reply->element[0]);
  EXPECT_EQ(no_count->token, low_);
  EXPECT_TRUE(message_.deliver());
  EXPECT_EQ(verdicts.all, (Expected{Verdict::not_counted(), Verdict::counted(3), Verdict::counted(5)}));
}

TEST_F(RedisRoundTest, WhatAMarkRefusesIsNotCountedAndNoFault) {
  domain::HitBatch hits;
  hits.push(low_, "/a");
  hits.push(low_, "/b");
  hits.push(high_, "/a");
  Verdicts verdicts(hits.size());
  message_.add(hits, verdicts);
  round_.begin(message_, false);
  const auto reply = reply_of("*3\r\n-HELD some\r\n-HELD some\r\n:5\r\n");
  ASSERT_TRUE(round_.can_return(0, *reply));
  EXPECT_FALSE(round_.take(0, *reply).has_value());
  EXPECT_TRUE(message_.deliver());
  EXPECT_EQ(verdicts.all, (Expected{Verdict::not_counted(), Verdict::not_counted(), Verdict::counted(5)}));
}

TEST_F(RedisRoundTest, ItIsUsedAgain) {
  for (int use = 0; use < 2; ++use) {
    domain::HitBatch hits;
    hits.push(low_, "/a");
    hits.push(low_, "/a");
    Verdicts verdicts(hits.size());
    message_.add(hits, verdicts);
    round_.begin(message_, false);
    ASSERT_EQ(round_.calls(), 1U);
    round_.settle_call(0, Verdict::perhaps_counted());
    EXPECT_TRUE(message_.deliver());
    EXPECT_EQ(verdicts.all, (Expected{Verdict::perhaps_counted(), Verdict::perhaps_counted()}));
    message_.clear();
  }
}

}  // namespace tracker::store::redis
