#include "store/redis/redis_round.h"

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <memory>

#include "domain/token.h"

namespace tracker::store {

using domain::Verdict;

/// Reads one reply as it would come from Redis.
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
  RedisRound round_;
};

TEST(RedisCommand, IsWrittenInResp) {
  std::string out = "before";
  append_command({"SET", std::string_view("a\0b", 3), ""}, out);
  EXPECT_EQ(out, std::string("before*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$0\r\n\r\n", 34));
}

TEST_F(RedisRoundTest, OneCommandForEachTokenAndOneIncrementForEachPath) {
  domain::HitBatch first;
  first.push(high_, "/b");
  first.push(low_, "/x");
  first.push(high_, "/a");
  first.push(high_, "/b");
  domain::HitBatch second;
  second.push(high_, "/b");
  Verdicts first_verdicts(first.size());
  Verdicts second_verdicts(second.size());
  round_.add(first, first_verdicts);
  round_.add(second, second_verdicts);
  round_.group();
  ASSERT_EQ(round_.commands(), 2U);

  std::string out;
  round_.append(0, RedisRound::Form::script, out);
  std::string expected;
  append_command({"EVALSHA", track_script_sha1(), "1", redis_key(low_), "/x", "1"}, expected);
  round_.append(1, RedisRound::Form::script_text, out);
  append_command({"EVAL", track_script, "1", redis_key(high_), "/a", "1", "/b", "3"}, expected);
  EXPECT_EQ(out, expected);

  EXPECT_EQ(round_.take_reply(1, 0, *reply_of("*2\r\n:7\r\n:12\r\n")).error, "");
  EXPECT_FALSE(round_.deliver()) << "one token's hits are still under way";
  EXPECT_EQ(first_verdicts.all,
            (Expected{Verdict::counted(10), std::nullopt, Verdict::counted(7), Verdict::counted(11)}));
  EXPECT_EQ(second_verdicts.all, Expected{Verdict::counted(12)});

  EXPECT_EQ(round_.take_reply(0, 0, *reply_of("$-1\r\n")).error, "");
  EXPECT_TRUE(round_.deliver());
  EXPECT_EQ(first_verdicts.all[1], Verdict::unknown_token());
}

TEST_F(RedisRoundTest, KnownTokensNeedNoScript) {
  domain::HitBatch hits;
  hits.push(low_, "/b");
  hits.push(low_, "/a");
  hits.push(low_, "/b");
  Verdicts verdicts(hits.size());
  round_.add(hits, verdicts);
  round_.group();
  std::string out;
  round_.append(0, RedisRound::Form::plain, out);
  std::string expected;
  append_command({"HEXISTS", redis_key(low_), ""}, expected);
  append_command({"HINCRBY", redis_key(low_), "/a", "1"}, expected);
  append_command({"HINCRBY", redis_key(low_), "/b", "2"}, expected);
  EXPECT_EQ(out, expected);
  EXPECT_EQ(round_.replies(0), 3U);

  EXPECT_EQ(round_.take_reply(0, 0, *reply_of(":1\r\n")).error, "");
  EXPECT_FALSE(round_.met_no_token(0));
  EXPECT_EQ(round_.take_reply(0, 1, *reply_of("-OOM no\r\n")).error, "OOM no");
  EXPECT_FALSE(round_.deliver());
  EXPECT_EQ(round_.take_reply(0, 2, *reply_of(":7\r\n")).error, "");
  EXPECT_TRUE(round_.deliver());
  EXPECT_EQ(verdicts.all, (Expected{Verdict::counted(6), Verdict::not_counted(), Verdict::counted(7)}));
}

TEST_F(RedisRoundTest, ATokenThatIsNotKnownAnyMoreIsUnknown) {
  domain::HitBatch hits;
  hits.push(low_, "/a");
  hits.push(low_, "/b");
  Verdicts verdicts(hits.size());
  round_.add(hits, verdicts);
  round_.group();
  std::string out;
  round_.append(0, RedisRound::Form::plain, out);
  round_.take_reply(0, 0, *reply_of(":0\r\n"));
  EXPECT_TRUE(round_.met_no_token(0));
  round_.take_reply(0, 1, *reply_of(":1\r\n"));
  round_.give_up(0, 2, Verdict::perhaps_counted());  // the connection is lost
  EXPECT_TRUE(round_.deliver());
  EXPECT_EQ(verdicts.all, (Expected{Verdict::unknown_token(), Verdict::perhaps_counted()}));
}

// Replies come in pieces: the batch of a command's first hit may be its owner's again before the last of them.
TEST_F(RedisRoundTest, ABatchIsNotLookedAtAfterItsLastVerdict) {
  domain::HitBatch first;
  first.push(low_, "/a");
  domain::HitBatch second;
  second.push(low_, "/b");
  second.push(low_, "/c");
  Verdicts first_verdicts(first.size());
  Verdicts second_verdicts(second.size());
  round_.add(first, first_verdicts);
  round_.add(second, second_verdicts);
  round_.group();
  std::string out;
  round_.append(0, RedisRound::Form::plain, out);
  round_.take_reply(0, 0, *reply_of(":0\r\n"));
  round_.take_reply(0, 1, *reply_of(":1\r\n"));
  EXPECT_FALSE(round_.deliver());
  EXPECT_EQ(first_verdicts.all, Expected{Verdict::unknown_token()});
  first.clear();
  first.push(high_, "/another");

  EXPECT_EQ(round_.take_reply(0, 2, *reply_of("-OOM no\r\n")).key, redis_key(low_));
  EXPECT_EQ(round_.take_reply(0, 3, *reply_of("+what\r\n")).key, redis_key(low_));
  EXPECT_EQ(round_.token(0), low_) << "whose hash is to be tidied up";
  EXPECT_TRUE(round_.deliver());
  EXPECT_EQ(second_verdicts.all, (Expected{Verdict::not_counted(), Verdict::perhaps_counted()}));
}

TEST_F(RedisRoundTest, AnErrorFailsItsOwnHitsAndNamesTheKey) {
  domain::HitBatch hits;
  hits.push(low_, "/bad");
  hits.push(low_, "/good");
  hits.push(high_, "/");
  Verdicts verdicts(hits.size());
  round_.add(hits, verdicts);
  round_.group();
  const auto bad_field =
      round_.take_reply(0, 0, *reply_of("*2\r\n-ERR hash value is not an integer\r\n:3\r\n"));
  EXPECT_EQ(bad_field.key, redis_key(low_));
  EXPECT_EQ(bad_field.error, "ERR hash value is not an integer");
  const auto bad_key = round_.take_reply(1, 0, *reply_of("-WRONGTYPE Operation against a key\r\n"));
  EXPECT_EQ(bad_key.key, redis_key(high_));
  EXPECT_EQ(bad_key.error, "WRONGTYPE Operation against a key");
  EXPECT_TRUE(round_.deliver());
  EXPECT_EQ(verdicts.all, (Expected{Verdict::not_counted(), Verdict::counted(3), Verdict::not_counted()}));
}

// A proxy has errors of its own, and Redis may still execute what the proxy has given up.
TEST_F(RedisRoundTest, BehindAProxyOnlyRedisOwnErrorsMeanNotCounted) {
  const struct {
    const char* error;
    Verdict behind_a_proxy;
  } rows[] = {
      {"READONLY You can't write against a read only replica.", Verdict::not_counted()},
      {"MASTERDOWN Link with MASTER is down", Verdict::not_counted()},
      {"LOADING Redis is loading the dataset in memory", Verdict::not_counted()},
      {"OOM command not allowed when used memory > 'maxmemory'.", Verdict::not_counted()},
      {"MISCONF Redis is configured to save RDB snapshots", Verdict::not_counted()},
      {"NOREPLICAS Not enough good replicas to write.", Verdict::not_counted()},
      {"NOSCRIPT No matching script. Please use EVAL.", Verdict::not_counted()},
      {"WRONGTYPE Operation against a key holding the wrong kind of value", Verdict::not_counted()},
      {"NOPERM this user has no permissions", Verdict::not_counted()},
      {"NOAUTH Authentication required.", Verdict::not_counted()},
      {"ERR hash value is not an integer", Verdict::not_counted()},
      {"ERR increment or decrement would overflow", Verdict::not_counted()},
      {"ERR Connection timed out", Verdict::perhaps_counted()},
      {"upstream failure", Verdict::perhaps_counted()},
      {"", Verdict::perhaps_counted()},
  };
  for (const auto& [error, behind_a_proxy] : rows) {
    for (const auto form : {RedisRound::Form::script, RedisRound::Form::plain}) {
      for (const bool proxy : {false, true}) {
        SCOPED_TRACE(error);
        const auto expected = proxy ? behind_a_proxy : Verdict::not_counted();
        const auto reply = reply_of("-" + std::string(error) + "\r\n");
        RedisRound round(proxy);
        domain::HitBatch hits;
        hits.push(low_, "/a");
        Verdicts verdicts(hits.size());
        round.add(hits, verdicts);
        round.group();
        std::string out;
        round.append(0, form, out);
        for (std::size_t part = 0; part < round.replies(0); ++part) round.take_reply(0, part, *reply);
        EXPECT_TRUE(round.deliver());
        EXPECT_EQ(verdicts.all, Expected{expected});
      }
    }
  }
}

TEST_F(RedisRoundTest, AReplyThatMakesNoSenseMayHaveCounted) {
  domain::HitBatch hits;
  hits.push(low_, "/a");
  hits.push(low_, "/b");
  Verdicts verdicts(hits.size());
  round_.add(hits, verdicts);
  round_.group();
  EXPECT_NE(round_.take_reply(0, 0, *reply_of("*1\r\n:1\r\n")).error, "");
  EXPECT_TRUE(round_.deliver());
  EXPECT_EQ(verdicts.all, (Expected{Verdict::perhaps_counted(), Verdict::perhaps_counted()}));
}

TEST_F(RedisRoundTest, WhatIsGivenUpGetsItsVerdictAndTheRoundIsUsedAgain) {
  for (int use = 0; use < 2; ++use) {
    domain::HitBatch hits;
    hits.push(low_, "/a");
    hits.push(low_, "/a");
    Verdicts verdicts(hits.size());
    round_.add(hits, verdicts);
    round_.group();
    ASSERT_EQ(round_.commands(), 1U);
    round_.give_up(0, Verdict::perhaps_counted());
    EXPECT_TRUE(round_.deliver());
    EXPECT_EQ(verdicts.all, (Expected{Verdict::perhaps_counted(), Verdict::perhaps_counted()}));
    round_.clear();
  }
}

}  // namespace tracker::store
