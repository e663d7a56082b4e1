#include "store/redis/redis_handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/redis/redis_replies.h"

namespace tracker::store::redis {
namespace {

using State = RedisHandshake::State;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class RedisHandshakeTest : public testing::Test {
 protected:
  RedisHandshakeTest() : RedisHandshakeTest(RedisSettings{}) {}
  explicit RedisHandshakeTest(const RedisSettings& settings) : settings_(settings) { handshake_.begin(); }

  State take(const std::string& bytes) {
    replies_.feed(bytes);
    bool make_sense = true;
    while (const redisReply* reply = make_sense ? replies_.next() : nullptr) {
      make_sense = pipeline_.take(*reply);
    }
    return handshake_.take(bytes, make_sense && !replies_.broken());
  }

  static inline const std::string probes =
      "*1\r\n$-1\r\n*2\r\n$-1\r\n$-1\r\n*1\r\n$-1\r\n*1\r\n$-1\r\n"
      "-ERR value is not an integer or out of range\r\n*0\r\n";
  static inline const std::string facts =
      ":1\r\n*3\r\n$32\r\n000102030405060708090a0b0c0d0e0f\r\n$-1\r\n$-1\r\n$22\r\n# "
      "Server\r\nrun_id:run\r\n\r\n";
  static inline const std::string durability = "*0\r\n*0\r\n*0\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n";

  const RedisSettings settings_;
  RedisKnowledge knowledge_;
  DurabilityWatch durability_{settings_};
  RedisReplies replies_;
  RedisPipeline pipeline_{settings_, knowledge_};
  RedisHandshake handshake_{pipeline_, durability_};
};

TEST_F(RedisHandshakeTest, IsUnderWayUntilAllIsAnswered) {
  const std::string all = probes + durability + facts;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) EXPECT_EQ(take(all.substr(i, 1)), State::under_way);
  EXPECT_EQ(take(all.substr(all.size() - 1)), State::fit);
}

TEST_F(RedisHandshakeTest, SaysWhatIsRefused) {
  EXPECT_EQ(
      take("*1\r\n$-1\r\n*2\r\n$-1\r\n$-1\r\n*1\r\n$-1\r\n*1\r\n$-1\r\n-READONLY You can't write\r\n*0\r\n" +
           facts + durability),
      State::unfit);
  EXPECT_THAT(handshake_.why_not(), StartsWith("cannot be used: it says READONLY You can't write: "));
}

TEST_F(RedisHandshakeTest, KnowsWhichStoreItIs) {
  EXPECT_EQ(take(probes + durability), State::under_way);
  EXPECT_EQ(take(facts), State::fit);
  const auto told = pipeline_.facts().facts();
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->id, (StoreFacts::Id{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(told->server_run, "run");
  EXPECT_TRUE(told->is_lasting);
  EXPECT_EQ(told->record, "");
}

// An ACL from before there were facts.
TEST_F(RedisHandshakeTest, OneThatDoesNotTellWhichStoreItIsCounts) {
  EXPECT_EQ(take(probes + durability), State::under_way);
  EXPECT_EQ(take(":1\r\n-NOPERM no\r\n$22\r\n# Server\r\nrun_id:run\r\n\r\n"), State::fit);
  EXPECT_FALSE(pipeline_.facts().facts().has_value());
  EXPECT_THAT(pipeline_.facts().why_not(settings_), HasSubstr("+hmget"));
}

TEST_F(RedisHandshakeTest, AStrangerIsNamedByItsFirstWords) {
  EXPECT_EQ(take("HTTP/1.1 400 Bad Request\r\n"), State::unfit);
  EXPECT_THAT(handshake_.why_not(), StartsWith("cannot be used: it does not speak Redis' protocol but HTTP"));
}

TEST_F(RedisHandshakeTest, NonsenseAfterARefusalLeavesTheRefusal) {
  EXPECT_EQ(take("-NOAUTH Authentication required.\r\n"), State::under_way);
  EXPECT_EQ(take("nonsense\r\n"), State::unfit);
  EXPECT_THAT(handshake_.why_not(), HasSubstr("NOAUTH"));
}

TEST_F(RedisHandshakeTest, AnEndWithoutAWordMayMeanTls) {
  EXPECT_THAT(handshake_.explain_end("it closed the connection"),
              StartsWith("it closed the connection, before it had said a word; if it wants TLS"));
  take("*1\r\n$-1\r\n");
  EXPECT_EQ(handshake_.explain_end("it closed the connection"), "it closed the connection");
}

class RequiringHandshakeTest : public RedisHandshakeTest {
 protected:
  RequiringHandshakeTest() : RedisHandshakeTest(RedisSettings{.redis = {}, .require_durability = true}) {}
};

TEST_F(RequiringHandshakeTest, ARedisThatMayLoseIsUnfitIfThatIsNotAllowed) {
  EXPECT_EQ(take(probes + durability), State::unfit);
  EXPECT_THAT(pipeline_.out(), Not(HasSubstr("\r\nHMGET\r\n"))) << "it is left as it is";
  EXPECT_THAT(handshake_.why_not(), StartsWith("keeps less than --require-durability asks: "));
}

}  // namespace
}  // namespace tracker::store::redis
