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
  message_.add(first, first_verdicts);
  message_.add(second, second_verdicts);
  round_.begin(message_);
  ASSERT_EQ(round_.commands(), 2U);

  std::string out;
  round_.append(0, RedisRound::Form::script, out);
  std::string expected;
  append_command({"EVALSHA", track_script_sha1(), "1", redis_key(low_), "/x", "1"}, expected);
  round_.append(1, RedisRound::Form::script_text, out);
  append_command({"EVAL", track_script, "1", redis_key(high_), "/a", "1", "/b", "3"}, expected);
  EXPECT_EQ(out, expected);

  EXPECT_EQ(round_.take_counts(1, *reply_of("*2\r\n:7\r\n:12\r\n")), nullptr);
  EXPECT_FALSE(message_.deliver()) << "one token's hits are still under way";
  EXPECT_EQ(first_verdicts.all,
            (Expected{Verdict::counted(10), std::nullopt, Verdict::counted(7), Verdict::counted(11)}));
  EXPECT_EQ(second_verdicts.all, Expected{Verdict::counted(12)});

  round_.settle_command(0, Verdict::unknown_token());
  EXPECT_TRUE(message_.deliver());
  EXPECT_EQ(first_verdicts.all[1], Verdict::unknown_token());
}

TEST_F(RedisRoundTest, KnownTokensNeedNoScript) {
  domain::HitBatch hits;
  hits.push(low_, "/b");
  hits.push(low_, "/a");
  hits.push(low_, "/b");
  Verdicts verdicts(hits.size());
  message_.add(hits, verdicts);
  round_.begin(message_);
  std::string out;
  round_.append(0, RedisRound::Form::plain, out);
  std::string expected;
  append_command({"HEXISTS", redis_key(low_), ""}, expected);
  append_command({"HINCRBY", redis_key(low_), "/a", "1"}, expected);
  append_command({"HINCRBY", redis_key(low_), "/b", "2"}, expected);
  EXPECT_EQ(out, expected);
  EXPECT_EQ(round_.end_increment(0) - round_.first_increment(0), 2U);

  EXPECT_FALSE(round_.take_count(0, *reply_of("-OOM no\r\n")));
  EXPECT_FALSE(message_.deliver());
  EXPECT_TRUE(round_.take_count(1, *reply_of(":7\r\n")));
  EXPECT_TRUE(message_.deliver());
  EXPECT_EQ(verdicts.all, (Expected{Verdict::counted(6), Verdict::not_counted(), Verdict::counted(7)}));
}

TEST_F(RedisRoundTest, AHitThatHasItsVerdictGetsNoOther) {
  domain::HitBatch hits;
  hits.push(low_, "/a");
  hits.push(low_, "/a");
  hits.push(low_, "/b");
  Verdicts verdicts(hits.size());
  message_.add(hits, verdicts);
  round_.begin(message_);
  EXPECT_TRUE(round_.take_count(0, *reply_of(":2\r\n")));
  EXPECT_TRUE(round_.take_count(0, *reply_of(":4\r\n")));
  round_.settle_increment(0, Verdict::not_counted());
  EXPECT_FALSE(message_.deliver());
  EXPECT_EQ(round_.take_counts(0, *reply_of("*2\r\n:9\r\n:3\r\n")), nullptr);
  round_.settle_command(0, Verdict::perhaps_counted());
  EXPECT_TRUE(message_.deliver());
  EXPECT_EQ(verdicts.all, (Expected{Verdict::counted(1), Verdict::counted(2), Verdict::counted(3)}));
}

TEST_F(RedisRoundTest, ACountThatIsLessThanWasAddedIsNoAnswer) {
  const std::pair<const char*, bool> rows[] = {{":9223372036854775807\r\n", true},
                                               {":2\r\n", true},
                                               {":1\r\n", false},
                                               {":0\r\n", false},
                                               {":-1\r\n", false},
                                               {":-9223372036854775808\r\n", false}};
  for (const auto& [reply, is_count] : rows) {
    SCOPED_TRACE(reply);
    RedisRound round;
    domain::HitBatch hits;
    hits.push(low_, "/a");
    hits.push(low_, "/a");
    Verdicts verdicts(hits.size());
    link::Gather message;
    message.add(hits, verdicts);
    round.begin(message);
    const auto its = reply_of(reply);
    EXPECT_EQ(round.take_count(0, *its), is_count);
    EXPECT_TRUE(message.deliver());
    EXPECT_EQ(verdicts.all,
              is_count ? (Expected{Verdict::counted(its->integer - 1), Verdict::counted(its->integer)})
                       : (Expected{Verdict::perhaps_counted(), Verdict::perhaps_counted()}));
  }
}

TEST_F(RedisRoundTest, ATokenThatIsNotKnownAnyMoreIsUnknown) {
  domain::HitBatch hits;
  hits.push(low_, "/a");
  hits.push(low_, "/b");
  Verdicts verdicts(hits.size());
  message_.add(hits, verdicts);
  round_.begin(message_);
  round_.take_no_token(0);
  EXPECT_TRUE(round_.take_count(0, *reply_of(":1\r\n")));
  round_.settle_increment(1, Verdict::perhaps_counted());  // the connection is lost
  EXPECT_TRUE(message_.deliver());
  EXPECT_EQ(verdicts.all, (Expected{Verdict::unknown_token(), Verdict::perhaps_counted()}));
}

// Replies come in pieces. The owner of the batch of a command's first hit may reuse it before the last of them.
TEST_F(RedisRoundTest, ABatchIsNotLookedAtAfterItsLastVerdict) {
  domain::HitBatch first;
  first.push(low_, "/a");
  domain::HitBatch second;
  second.push(low_, "/b");
  second.push(low_, "/c");
  Verdicts first_verdicts(first.size());
  Verdicts second_verdicts(second.size());
  message_.add(first, first_verdicts);
  message_.add(second, second_verdicts);
  round_.begin(message_);
  round_.take_no_token(0);
  round_.take_count(0, *reply_of(":1\r\n"));
  EXPECT_FALSE(message_.deliver());
  EXPECT_EQ(first_verdicts.all, Expected{Verdict::unknown_token()});
  first.clear();
  first.push(high_, "/another");

  EXPECT_FALSE(round_.take_count(1, *reply_of("-OOM no\r\n")));
  EXPECT_EQ(round_.token_of_increment(2), low_) << "which is to be named in the log";
  round_.settle_increment(2, Verdict::perhaps_counted());
  EXPECT_EQ(round_.token(0), low_) << "whose hash is to be tidied up";
  EXPECT_TRUE(message_.deliver());
  EXPECT_EQ(second_verdicts.all, (Expected{Verdict::not_counted(), Verdict::perhaps_counted()}));
}

TEST_F(RedisRoundTest, AnErrorFailsItsOwnHits) {
  domain::HitBatch hits;
  hits.push(low_, "/bad");
  hits.push(low_, "/good");
  Verdicts verdicts(hits.size());
  message_.add(hits, verdicts);
  round_.begin(message_);
  const auto reply = reply_of("*2\r\n-ERR hash value is not an integer\r\n:3\r\n");
  EXPECT_EQ(round_.take_counts(0, *reply), reply->element[0]);
  EXPECT_TRUE(message_.deliver());
  EXPECT_EQ(verdicts.all, (Expected{Verdict::not_counted(), Verdict::counted(3)}));
}

TEST_F(RedisRoundTest, ItIsUsedAgain) {
  for (int use = 0; use < 2; ++use) {
    domain::HitBatch hits;
    hits.push(low_, "/a");
    hits.push(low_, "/a");
    Verdicts verdicts(hits.size());
    message_.add(hits, verdicts);
    round_.begin(message_);
    ASSERT_EQ(round_.commands(), 1U);
    round_.settle_command(0, Verdict::perhaps_counted());
    EXPECT_TRUE(message_.deliver());
    EXPECT_EQ(verdicts.all, (Expected{Verdict::perhaps_counted(), Verdict::perhaps_counted()}));
    message_.clear();
  }
}

}  // namespace tracker::store::redis
