#include "store/redis/redis_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/intrusive/list.hpp>
#include <deque>

#include "store/redis/redis_replies.h"

namespace tracker::store::redis {
namespace {

using domain::Verdict;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

using Expected = std::vector<std::optional<Verdict>>;

struct Verdicts final : TrackReply {
  explicit Verdicts(std::size_t hits) : all(hits) {}
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    for (const auto& [hit, verdict] : verdicts) {
      EXPECT_FALSE(all.at(hit).has_value()) << "a second verdict";
      all.at(hit) = verdict;
    }
  }
  std::vector<std::optional<Verdict>> all;
};

struct Added final : AddReply {
  void on_added(domain::Result<void> added) override {
    outcomes.push_back(added ? std::nullopt : std::optional(added.error()));
  }
  std::vector<std::optional<domain::Failure>> outcomes;
};

class RedisPipelineTest : public testing::Test {
 protected:
  // A pipeline that has greeted and knows `known_`.
  RedisPipelineTest() : RedisPipelineTest(RedisSettings{}) {}
  explicit RedisPipelineTest(const RedisSettings& settings) : settings_(settings) {
    connect();
    EXPECT_TRUE(take(settings.proxy ? greeting : greeting + durability));
    EXPECT_FALSE(pipeline_->is_waiting());
    EXPECT_TRUE(pipeline_->has_looked());
    pipeline_->take_look();
    EXPECT_TRUE(pipeline_->fitness().is_ready());
    add(known_);
    EXPECT_TRUE(take(":1\r\n"));
    EXPECT_THAT(added_.outcomes, ElementsAre(std::nullopt));
    added_.outcomes.clear();
    pipeline_->out().clear();
  }

  // Makes a new connection to the same Redis. It starts to greet.
  void connect() {
    pipeline_.emplace(settings_, knowledge_);
    pipeline_->greet();
  }

  // Takes the replies in these bytes, which must be complete. Returns false if one of them cannot be a reply to its
  // command.
  bool take(const std::string& bytes) {
    RedisReplies replies;
    replies.feed(bytes);
    while (const redisReply* reply = replies.next()) {
      if (!pipeline_->take(*reply)) return false;
    }
    for (auto& message : messages_) message.deliver();
    return !replies.broken();
  }

  void track(const domain::HitBatch& hits, Verdicts& verdicts) {
    auto& message = messages_.emplace_back();
    message.add(hits, verdicts);
    pipeline_->send(message);
  }

  void add(const domain::TokenId& id) {
    auto& token = *new AddToken(id, domain::Deadline::max(), added_);
    tokens_.push_back(token);
    pipeline_->send(token);
  }

  // Does what the link does when a connection is lost.
  void lose() {
    for (auto& message : messages_) {
      message.settle_rest(Verdict::perhaps_counted());
      message.deliver();
    }
    messages_.clear();
    tokens_.clear_and_dispose([](link::Command* token) {
      token->on_failed(domain::Failure::perhaps_done);
      delete token;
    });
    pipeline_.emplace(settings_, knowledge_);
  }

  // Sends one hit for each path and takes the replies. Loses the connection unless all replies came.
  std::vector<std::optional<Verdict>> verdicts_after(const domain::TokenId& id,
                                                     const std::vector<std::string>& paths,
                                                     const std::string& replies) {
    domain::HitBatch hits;
    for (const auto& path : paths) hits.push(id, path);
    Verdicts verdicts(hits.size());
    track(hits, verdicts);
    makes_sense_ = take(replies);
    fitness_ = pipeline_->fitness();
    trouble_ = pipeline_->has_trouble() ? std::optional(pipeline_->take_trouble()) : std::nullopt;
    if (!makes_sense_ || pipeline_->is_waiting()) lose();
    return verdicts.all;
  }

  static inline const std::string greeting =
      "$-1\r\n$-1\r\n-ERR value is not an integer or out of range\r\n:0\r\n*0\r\n";
  static inline const std::string durability = "*0\r\n*0\r\n*0\r\n$0\r\n\r\n$0\r\n\r\n";
  static inline const std::string no_script = "-NOSCRIPT No matching script. Please use EVAL.\r\n";

  const RedisSettings settings_;
  RedisKnowledge knowledge_;
  const domain::TokenId known_{{1}};
  const domain::TokenId other_{{2}};
  Added added_;
  std::optional<RedisPipeline> pipeline_;
  std::deque<link::Gather> messages_;
  boost::intrusive::list<link::Command, boost::intrusive::constant_time_size<false>> tokens_;
  // Results of verdicts_after().
  bool makes_sense_ = false;
  domain::Readiness fitness_ = domain::Readiness::ready();
  std::optional<RedisPipeline::Trouble> trouble_;
};

TEST_F(RedisPipelineTest, GreetsByDoingWhatCountingDoes) {
  const RedisSettings settings{.redis = parse_redis_address("redis://u:p@h/3")};
  RedisPipeline pipeline(settings, knowledge_);
  pipeline.greet();
  const std::string key = redis_key(probe_id);
  std::string expected;
  append_command({"AUTH", "u", "p"}, expected);
  append_command({"SELECT", "3"}, expected);
  append_command({"EVAL", track_script, "1", key}, expected);
  append_command({"EVALSHA", track_script_sha1(), "1", key}, expected);
  append_command({"HINCRBY", key, "/", "00"}, expected);
  append_command({"HEXISTS", redis_key(far_probe_id), ""}, expected);
  EXPECT_THAT(pipeline.out(), StartsWith(expected));
}

TEST_F(RedisPipelineTest, CountsAndLearnsOfTokens) {
  EXPECT_THAT(verdicts_after(known_, {"/a", "/a", "/b"}, ":1\r\n:2\r\n:9\r\n"),
              ElementsAre(Verdict::counted(1), Verdict::counted(2), Verdict::counted(9)));
  EXPECT_THAT(verdicts_after(other_, {"/a"}, "*1\r\n:1\r\n"), ElementsAre(Verdict::counted(1)));
  EXPECT_THAT(verdicts_after(other_, {"/a"}, ":1\r\n:2\r\n"), ElementsAre(Verdict::counted(2)));
  EXPECT_THAT(verdicts_after({{3}}, {"/a"}, "$-1\r\n"), ElementsAre(Verdict::unknown_token()));
}

TEST_F(RedisPipelineTest, WhatIsLostIsPerhapsCounted) {
  add(other_);
  EXPECT_THAT(verdicts_after(known_, {"/a", "/b"}, ":0\r\n:1\r\n:1\r\n"),
              ElementsAre(Verdict::counted(1), Verdict::perhaps_counted()));
  EXPECT_THAT(verdicts_after(other_, {"/a"}, ""), ElementsAre(Verdict::perhaps_counted()));
  add(other_);
  lose();
  EXPECT_THAT(added_.outcomes, ElementsAre(std::nullopt, domain::Failure::perhaps_done));
}

// It makes no sense twice for one command, and not for HEXISTS, which has no script.
TEST_F(RedisPipelineTest, NoScriptMeansSomethingForEvalshaAlone) {
  EXPECT_THAT(verdicts_after(known_, {"/a", "/b"}, no_script + ":1\r\n:1\r\n"),
              ElementsAre(Verdict::perhaps_counted(), Verdict::perhaps_counted()));
  EXPECT_FALSE(makes_sense_);
  EXPECT_THAT(verdicts_after(known_, {"/a", "/b"}, ":1\r\n:1\r\n" + no_script),
              ElementsAre(Verdict::counted(1), Verdict::perhaps_counted()));
  EXPECT_FALSE(makes_sense_);
  EXPECT_THAT(verdicts_after(other_, {"/a"}, "*1\r\n" + no_script), ElementsAre(Verdict::perhaps_counted()));
  EXPECT_FALSE(makes_sense_);
  add(other_);
  EXPECT_FALSE(take(no_script));
  lose();
  EXPECT_THAT(added_.outcomes, ElementsAre(domain::Failure::perhaps_done));
}

TEST_F(RedisPipelineTest, NoScriptSendsTheCommandAgainOnce) {
  domain::HitBatch hits;
  hits.push(other_, "/a");
  hits.push(other_, "/b");
  Verdicts verdicts(hits.size());
  track(hits, verdicts);
  pipeline_->out().clear();
  EXPECT_TRUE(take(no_script));
  std::string expected;
  append_command({"EVAL", track_script, "1", redis_key(other_), "/a", "1", "/b", "1"}, expected);
  EXPECT_EQ(pipeline_->out(), expected);
  EXPECT_FALSE(take(no_script));
  lose();
  EXPECT_EQ(verdicts.all, (Expected{Verdict::perhaps_counted(), Verdict::perhaps_counted()}));
}

TEST_F(RedisPipelineTest, WhatCannotBeAReplyIsTakenForNone) {
  const struct {
    const domain::TokenId& id;
    const char* reply;
  } rows[] = {
      {known_, ":2\r\n"},
      {known_, ":-1\r\n"},
      {known_, "$-1\r\n"},
      {known_, "+OK\r\n"},
      {known_, "*1\r\n:1\r\n"},
      {known_, ":1\r\n$1\r\n5\r\n"},
      {known_, ":1\r\n*0\r\n"},
      {other_, "*0\r\n"},
      {other_, "*2\r\n:1\r\n:1\r\n"},
      {other_, ":1\r\n"},
      {other_, "*1\r\n$1\r\n1\r\n"},
      {other_, "*1\r\n*1\r\n:1\r\n"},
      {other_, "*1\r\n$-1\r\n"},
      {other_, "+OK\r\n"},
      {other_, "$1\r\n1\r\n"},
      {other_, ">1\r\n:1\r\n"},
  };
  for (const auto& [id, reply] : rows) {
    SCOPED_TRACE(reply);
    EXPECT_THAT(verdicts_after(id, {"/a"}, reply), ElementsAre(Verdict::perhaps_counted()));
    EXPECT_FALSE(makes_sense_);
  }
  EXPECT_FALSE(take(":1\r\n")) << "nothing was asked";
}

TEST_F(RedisPipelineTest, ATokenThatIsGoneIsTidiedUpOnce) {
  domain::HitBatch hits;
  hits.push(known_, "/a");
  hits.push(known_, "/b");
  Verdicts verdicts(hits.size());
  track(hits, verdicts);
  pipeline_->out().clear();
  EXPECT_TRUE(take(":0\r\n:1\r\n:1\r\n"));
  EXPECT_EQ(verdicts.all, (Expected{Verdict::unknown_token(), Verdict::unknown_token()}));
  std::string expected;
  append_command({"EVAL", tidy_script, "1", redis_key(known_)}, expected);
  EXPECT_EQ(pipeline_->out(), expected);
  EXPECT_TRUE(take("*0\r\n"));
  EXPECT_FALSE(pipeline_->is_waiting());
}

TEST_F(RedisPipelineTest, AnErrorOfAKeyFailsItsOwnHits) {
  EXPECT_THAT(verdicts_after(known_, {"/a", "/b"}, ":1\r\n-ERR hash value is not an integer\r\n:5\r\n"),
              ElementsAre(Verdict::not_counted(), Verdict::counted(5)));
  EXPECT_TRUE(fitness_.is_ready());
  ASSERT_TRUE(trouble_.has_value());
  EXPECT_EQ(trouble_->key, redis_key(known_));
  EXPECT_EQ(trouble_->error, "ERR hash value is not an integer");
  EXPECT_FALSE(trouble_->perhaps_counted);
}

TEST_F(RedisPipelineTest, AnErrorOfAllMakesItUnfitAndItsKeyIsLookedAtNext) {
  EXPECT_THAT(verdicts_after(known_, {"/a"}, ":1\r\n-MOVED 1 127.0.0.1:1\r\n"),
              ElementsAre(Verdict::not_counted()));
  EXPECT_THAT(fitness_.why_not(), HasSubstr("this is a node of a Redis Cluster"));
  EXPECT_FALSE(trouble_.has_value());
  connect();
  EXPECT_TRUE(pipeline_->fitness().is_ready());
  std::string expected;
  append_command({"HEXISTS", redis_key(known_), ""}, expected);
  EXPECT_THAT(pipeline_->out(), HasSubstr(expected));
}

// Each probe is refused alone.
TEST_F(RedisPipelineTest, AGreetingThatIsRefusedInPartIsUnfit) {
  const std::string denied = "-NOPERM this user has no permissions\r\n";
  const std::string replies[] = {"$-1\r\n", "$-1\r\n", "-ERR value is not an integer or out of range\r\n",
                                 ":0\r\n", "*0\r\n"};
  for (std::size_t refused = 0; refused < std::size(replies); ++refused) {
    connect();
    std::string all;
    for (std::size_t i = 0; i < std::size(replies); ++i) all += i == refused ? denied : replies[i];
    EXPECT_TRUE(take(all + durability));
    EXPECT_THAT(pipeline_->fitness().why_not(), HasSubstr("ACL SETUSER default")) << refused;
    lose();
  }
}

TEST_F(RedisPipelineTest, ALookProbesWithoutEffect) {
  pipeline_->look();
  EXPECT_TRUE(take("$-1\r\n-ERR value is not an integer or out of range\r\n:0\r\n" + durability));
  EXPECT_TRUE(pipeline_->has_looked());
  pipeline_->take_look();
  EXPECT_FALSE(pipeline_->has_looked());
  EXPECT_TRUE(pipeline_->fitness().is_ready());
  pipeline_->look();
  EXPECT_TRUE(take("$-1\r\n-READONLY no\r\n:0\r\n" + durability));
  EXPECT_THAT(pipeline_->fitness().why_not(), HasSubstr("READONLY"));
}

class RedisProxyPipelineTest : public RedisPipelineTest {
 protected:
  RedisProxyPipelineTest() : RedisPipelineTest(RedisSettings{.redis = {}, .proxy = true}) {}
};

TEST_F(RedisProxyPipelineTest, AnErrorFailsItsOwnHitsAndTheNextLookSeesWhetherAllAreConcerned) {
  pipeline_->look();
  EXPECT_EQ(pipeline_->out(), "*1\r\n$4\r\nPING\r\n");
  EXPECT_TRUE(take("+PONG\r\n"));
  EXPECT_THAT(
      verdicts_after(known_, {"/a", "/b"}, ":1\r\n-MOVED 1 127.0.0.1:1\r\n-ERR Connection timed out\r\n"),
      ElementsAre(Verdict::not_counted(), Verdict::perhaps_counted()));
  EXPECT_TRUE(fitness_.is_ready());
  ASSERT_TRUE(trouble_.has_value());
  EXPECT_EQ(trouble_->key, redis_key(known_));
  pipeline_->look();
  EXPECT_TRUE(take("+PONG\r\n$-1\r\n-MOVED 1 127.0.0.1:1\r\n:0\r\n"));
  EXPECT_THAT(pipeline_->fitness().why_not(), HasSubstr("MOVED"));
}

}  // namespace
}  // namespace tracker::store::redis
