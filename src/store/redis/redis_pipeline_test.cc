#include "store/redis/redis_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "domain/slot.h"
#include "store/redis/redis_replies.h"

namespace tracker::store::redis {
namespace {

using domain::Verdict;
using testing::ElementsAre;
using testing::EndsWith;
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
  // A pipeline that has greeted.
  RedisPipelineTest() : RedisPipelineTest(RedisSettings{}) {}
  explicit RedisPipelineTest(const RedisSettings& settings) : settings_(with_clock(settings)) {
    connect();
    EXPECT_TRUE(take(settings.proxy ? pong : greeting + (settings.replicas > 0 ? one : "") + durability));
    EXPECT_FALSE(pipeline_->is_waiting());
    EXPECT_TRUE(pipeline_->has_looked());
    pipeline_->take_look();
    EXPECT_TRUE(pipeline_->fitness().is_ready());
    pipeline_->identify();
    if (!settings.proxy) {
      EXPECT_TRUE(take(facts));
    }
    EXPECT_FALSE(pipeline_->is_waiting());
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
    pipeline_->end_turn();
    return !replies.broken();
  }

  void track(const domain::HitBatch& hits, Verdicts& verdicts) {
    auto& message = messages_.emplace_back();
    message.add(hits, verdicts);
    pipeline_->send(message);
    pipeline_->end_turn();
  }

  void add(const domain::TokenId& id) {
    auto& token =
        *new AddToken(id, domain::TokenRecord{.minted_s = 1'700'000'000}, domain::Deadline::max(), added_);
    tokens_.push_back(token);
    pipeline_->send(token);
    pipeline_->end_turn();
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

  static inline const std::string unknown = "*1\r\n$-1\r\n";
  static inline const std::string look =
      unknown + unknown + "-ERR value is not an integer or out of range\r\n";
  static inline const std::string together = "*2\r\n$-1\r\n$-1\r\n";
  static inline const std::string facts =
      ":1\r\n*3\r\n$32\r\n000102030405060708090a0b0c0d0e0f\r\n$6\r\nrecord\r\n$5\r\nfence\r\n"
      "$22\r\n# Server\r\nrun_id:run\r\n\r\n";
  static inline const std::string greeting = unknown + together + look + "*0\r\n";
  static inline const std::string pong = "+PONG\r\n";
  static inline const std::string one = ":1\r\n";
  static inline const std::string durability = "*0\r\n*0\r\n*0\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n";
  static inline const std::string no_script = "-NOSCRIPT No matching script. Please use EVAL.\r\n";

  static RedisSettings with_clock(RedisSettings settings) {
    settings.rules.now_s = [] { return domain::Seconds{1'700'000'001}; };
    return settings;
  }

  const RedisSettings settings_;
  RedisKnowledge knowledge_;
  const domain::TokenId id_{{1}};
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
  append_command({"EVAL", track_script, "1", key, "*", "/", "00"}, expected);
  append_command(
      {"EVALSHA", track_script_sha1(), "2", key, redis_key(far_probe_id), "*", "/", "00", "/", "00"},
      expected);
  append_command({"EVALSHA", track_script_sha1(), "1", key, "tracker:store", "/", "00"}, expected);
  append_command({"EVALSHA", track_script_sha1(), "1", redis_key(far_probe_id), "tracker:store", "/", "00"},
                 expected);
  append_command({"HINCRBY", key, "/", "00"}, expected);
  EXPECT_THAT(pipeline.out(), StartsWith(expected));
}

TEST_F(RedisPipelineTest, Counts) {
  EXPECT_THAT(verdicts_after(id_, {"/a", "/a", "/b"}, "*2\r\n:2\r\n:9\r\n"),
              ElementsAre(Verdict::counted(1), Verdict::counted(2), Verdict::counted(9)));
  EXPECT_THAT(verdicts_after(id_, {"/a", "/b"}, "*2\r\n$-1\r\n$-1\r\n"),
              ElementsAre(Verdict::unknown_token(), Verdict::unknown_token()));
}

// A mark refuses them. That is as it should be, so the log says nothing.
TEST_F(RedisPipelineTest, WhatIsHeldIsNotCountedAndNotLogged) {
  EXPECT_THAT(verdicts_after(id_, {"/a", "/b"}, "*2\r\n-HELD some\r\n-HELD some\r\n"),
              ElementsAre(Verdict::not_counted(), Verdict::not_counted()));
  EXPECT_TRUE(makes_sense_);
  EXPECT_TRUE(fitness_.is_ready());
  EXPECT_FALSE(trouble_.has_value());
  add(id_);
  EXPECT_TRUE(take("*1\r\n-HELD some\r\n"));
  EXPECT_THAT(added_.outcomes, ElementsAre(domain::Failure::not_done));
  EXPECT_FALSE(pipeline_->has_trouble());
  EXPECT_TRUE(pipeline_->fitness().is_ready());
}

// So it is with what is more than there may be.
TEST_F(RedisPipelineTest, WhatIsTooManyIsNotCountedAndNotLogged) {
  EXPECT_THAT(verdicts_after(id_, {"/a", "/b", "/b"}, "*2\r\n:1\r\n-PATHS no\r\n"),
              ElementsAre(Verdict::counted(1), Verdict::too_many_paths(), Verdict::too_many_paths()));
  EXPECT_TRUE(makes_sense_);
  EXPECT_TRUE(fitness_.is_ready());
  EXPECT_FALSE(trouble_.has_value());
  add(id_);
  EXPECT_TRUE(take("*1\r\n-TOKENS no\r\n"));
  EXPECT_THAT(added_.outcomes, ElementsAre(domain::Failure::not_done));
  EXPECT_FALSE(pipeline_->has_trouble());
  EXPECT_TRUE(pipeline_->fitness().is_ready());
}

TEST_F(RedisPipelineTest, WhereAllIsHeldItIsUnfitAndSaysSo) {
  for (const auto& [said, is_ready] : {std::pair("some", true), {"all", false}}) {
    connect();
    const auto held = std::string("*1\r\n-HELD ") + said + "\r\n";
    EXPECT_TRUE(
        take(unknown + together + held + held + "-ERR value is not an integer\r\n*0\r\n" + durability));
    EXPECT_EQ(pipeline_->fitness().is_ready(), is_ready);
  }
  EXPECT_THAT(pipeline_->fitness().why_not(), HasSubstr("tracker export --unhold"));
}

TEST_F(RedisPipelineTest, TheTokensOfAMessageShareACall) {
  domain::HitBatch hits;
  hits.push(other_, "/a");
  hits.push(id_, "/a");
  Verdicts verdicts(hits.size());
  track(hits, verdicts);
  std::string expected;
  append_command({"EVALSHA", track_script_sha1(), "2", redis_key(id_), redis_key(other_), "", "/a", "1", "/a",
                  "1", "1700000001", "0", "0"},
                 expected);
  EXPECT_EQ(pipeline_->out(), expected);
  EXPECT_TRUE(take("*2\r\n:5\r\n:6\r\n"));
  EXPECT_EQ(verdicts.all, (Expected{Verdict::counted(6), Verdict::counted(5)}));
}

TEST_F(RedisPipelineTest, ProbesAreKnownByTheirIds) {
  EXPECT_TRUE(is_probe(probe_id));
  EXPECT_TRUE(is_probe(far_probe_id));
  EXPECT_FALSE(is_probe(id_));
}

// A cluster of one node holds all keys, but no script may have keys of two slots.
TEST_F(RedisPipelineTest, WhereKeysOfACallMustShareASlotEachTokenHasItsOwn) {
  connect();
  EXPECT_TRUE(take(unknown + "-CROSSSLOT Keys in request don't hash to the same slot\r\n" + look + "*0\r\n" +
                   durability));
  EXPECT_TRUE(pipeline_->fitness().is_ready());
  pipeline_->out().clear();
  domain::HitBatch hits;
  hits.push(other_, "/a");
  hits.push(id_, "/a");
  Verdicts verdicts(hits.size());
  track(hits, verdicts);
  std::string expected;
  append_command({"EVALSHA", track_script_sha1(), "1", redis_key(id_), "", "/a", "1", "1700000001", "0", "0"},
                 expected);
  append_command(
      {"EVALSHA", track_script_sha1(), "1", redis_key(other_), "", "/a", "1", "1700000001", "0", "0"},
      expected);
  EXPECT_EQ(pipeline_->out(), expected);
  EXPECT_TRUE(take("*1\r\n:5\r\n*1\r\n:6\r\n"));
  EXPECT_EQ(verdicts.all, (Expected{Verdict::counted(6), Verdict::counted(5)}));
}

TEST_F(RedisPipelineTest, WhatIsLostIsPerhapsCounted) {
  add(other_);
  EXPECT_THAT(verdicts_after(id_, {"/a", "/b"}, "*1\r\n:1\r\n"),
              ElementsAre(Verdict::perhaps_counted(), Verdict::perhaps_counted()));
  add(other_);
  lose();
  EXPECT_THAT(added_.outcomes, ElementsAre(std::nullopt, domain::Failure::perhaps_done));
}

// It makes no sense twice for one call, nor for a command that is no script.
TEST_F(RedisPipelineTest, NoScriptMeansSomethingForEvalshaAlone) {
  EXPECT_THAT(verdicts_after(id_, {"/a", "/b"}, "*2\r\n:1\r\n" + no_script),
              ElementsAre(Verdict::perhaps_counted(), Verdict::perhaps_counted()));
  EXPECT_FALSE(makes_sense_);
  pipeline_->look();
  EXPECT_TRUE(take(no_script + no_script));
  EXPECT_FALSE(take(no_script)) << "HINCRBY is no script";
}

TEST_F(RedisPipelineTest, AddsATokenByTheScript) {
  add(id_);
  std::string expected;
  append_command({"EVALSHA", track_script_sha1(), "1", redis_key(id_), "", "", "1700000000 bytes=0",
                  "1700000001", "0", "0", "0"},
                 expected);
  EXPECT_EQ(pipeline_->out(), expected);
  pipeline_->out().clear();
  EXPECT_TRUE(take(no_script));
  EXPECT_THAT(pipeline_->out(), HasSubstr("$4\r\nEVAL\r\n"));
  EXPECT_TRUE(take("*1\r\n:0\r\n")) << "it was known";
  for (const char* error : {"*1\r\n-WRONGTYPE no\r\n", "-LOADING no\r\n", "-ERR Script killed\r\n"}) {
    add(id_);
    EXPECT_TRUE(take(error));
  }
  EXPECT_THAT(added_.outcomes, ElementsAre(std::nullopt, domain::Failure::not_done, domain::Failure::not_done,
                                           domain::Failure::perhaps_done));
  for (const char* other : {":1\r\n", "*1\r\n:2\r\n", "*1\r\n$-1\r\n", "*2\r\n:1\r\n:1\r\n", "*0\r\n"}) {
    add(id_);
    EXPECT_FALSE(take(other)) << other;
    lose();
  }
}

TEST_F(RedisPipelineTest, NoScriptSendsTheCallAgainOnce) {
  domain::HitBatch hits;
  hits.push(id_, "/a");
  hits.push(other_, "/b");
  Verdicts verdicts(hits.size());
  track(hits, verdicts);
  pipeline_->out().clear();
  EXPECT_TRUE(take(no_script));
  std::string expected;
  append_command({"EVAL", track_script, "2", redis_key(id_), redis_key(other_), "", "/a", "1", "/b", "1",
                  "1700000001", "0", "0"},
                 expected);
  EXPECT_EQ(pipeline_->out(), expected);
  EXPECT_FALSE(take(no_script));
  lose();
  EXPECT_EQ(verdicts.all, (Expected{Verdict::perhaps_counted(), Verdict::perhaps_counted()}));
}

TEST_F(RedisPipelineTest, WhatCannotBeAReplyIsTakenForNone) {
  for (const char* reply : {":2\r\n", "$-1\r\n", "+OK\r\n", "*0\r\n", "*2\r\n:1\r\n:1\r\n",
                            "*1\r\n$1\r\n1\r\n", "*1\r\n*1\r\n:1\r\n", "$1\r\n1\r\n", ">1\r\n:1\r\n"}) {
    SCOPED_TRACE(reply);
    EXPECT_THAT(verdicts_after(id_, {"/a"}, reply), ElementsAre(Verdict::perhaps_counted()));
    EXPECT_FALSE(makes_sense_);
  }
  EXPECT_FALSE(take(":1\r\n")) << "nothing was asked";
}

TEST_F(RedisPipelineTest, AnErrorOfAKeyFailsItsOwnHits) {
  EXPECT_THAT(verdicts_after(id_, {"/a", "/b"}, "*2\r\n-ERR hash value is not an integer\r\n:5\r\n"),
              ElementsAre(Verdict::not_counted(), Verdict::counted(5)));
  EXPECT_TRUE(fitness_.is_ready());
  ASSERT_TRUE(trouble_.has_value());
  EXPECT_EQ(trouble_->what, "not counted: " + redis_key(id_));
  EXPECT_EQ(trouble_->error, "ERR hash value is not an integer");
}

// A script that began may have written before it ended.
TEST_F(RedisPipelineTest, AnErrorOfTheWholeCallMeansNotCountedOnlyIfItCameBeforeTheScript) {
  for (const std::string error :
       {"-LOADING Redis is loading\r\n", "-BUSY Redis is busy\r\n", "-OOM no\r\n"}) {
    EXPECT_THAT(verdicts_after(id_, {"/a"}, error), ElementsAre(Verdict::not_counted())) << error;
    EXPECT_FALSE(fitness_.is_ready());
  }
  for (const std::string error :
       {"-ERR Error running script (call to f_1): @user_script:7: not enough memory\r\n",
        "-@user_script: 7: -OOM command not allowed\r\n",
        "-ERR Script killed by user with SCRIPT KILL. script: 1, on @user_script:7.\r\n"}) {
    EXPECT_THAT(verdicts_after(id_, {"/a"}, error), ElementsAre(Verdict::perhaps_counted())) << error;
  }
}

TEST_F(RedisPipelineTest, AnErrorOfAllMakesItUnfitAndItsKeyIsLookedAtNext) {
  EXPECT_THAT(verdicts_after(id_, {"/a"}, "-MOVED 1 127.0.0.1:1\r\n"), ElementsAre(Verdict::not_counted()));
  EXPECT_THAT(fitness_.why_not(), HasSubstr("this is a node of a Redis Cluster"));
  EXPECT_FALSE(trouble_.has_value());
  connect();
  EXPECT_TRUE(pipeline_->fitness().is_ready());
  std::string expected;
  append_command({"EVALSHA", track_script_sha1(), "1", redis_key(id_), "tracker:store", "/", "00"}, expected);
  EXPECT_THAT(pipeline_->out(), HasSubstr(expected));
}

// Each probe is refused alone, and so is what is inside the script.
TEST_F(RedisPipelineTest, AGreetingThatIsRefusedInPartIsUnfit) {
  const std::string denied = "-NOPERM this user has no permissions\r\n";
  const std::string not_a_number = "-ERR value is not an integer or out of range\r\n";
  const std::string replies[] = {unknown, together, unknown, unknown, not_a_number, "*0\r\n"};
  for (std::size_t refused = 0; refused < std::size(replies); ++refused) {
    for (const bool inside : {false, true}) {
      if (inside && replies[refused] != unknown) continue;
      connect();
      std::string all;
      for (std::size_t i = 0; i < std::size(replies); ++i) {
        all += i == refused ? (inside ? "*1\r\n" : "") + denied : replies[i];
      }
      EXPECT_TRUE(take(all + durability));
      EXPECT_THAT(pipeline_->fitness().why_not(), HasSubstr("ACL SETUSER default")) << refused;
      lose();
    }
  }
}

TEST_F(RedisPipelineTest, TellsWhichStoreItIs) {
  const auto told = pipeline_->facts().facts();
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->id[15], 15);
  EXPECT_EQ(told->server_run, "run");
  EXPECT_EQ(told->record, "record");
}

// An ACL of yesterday may deny any of the questions.
TEST_F(RedisPipelineTest, OneThatDoesNotTellWhichStoreItIsCounts) {
  const std::string denied = "-NOPERM no\r\n";
  const std::string all = ":0\r\n*3\r\n$32\r\n000102030405060708090a0b0c0d0e0f\r\n$-1\r\n$-1\r\n";
  const std::string run = "$22\r\n# Server\r\nrun_id:run\r\n\r\n";
  for (const auto& answers : {denied + denied + denied, all + denied, ":1\r\n" + denied + run,
                              ":0\r\n*3\r\n$1\r\nx\r\n$-1\r\n$-1\r\n" + run,
                              ":0\r\n*3\r\n$-1\r\n$-1\r\n$-1\r\n" + run, all + "$3\r\na:b\r\n"}) {
    connect();
    EXPECT_TRUE(take(greeting + durability));
    pipeline_->identify();
    EXPECT_TRUE(take(answers)) << answers;
    EXPECT_FALSE(pipeline_->is_waiting());
    EXPECT_TRUE(pipeline_->fitness().is_ready());
    EXPECT_FALSE(pipeline_->facts().facts().has_value());
  }
}

// An identity that somebody read before the store was emptied must not come back.
TEST_F(RedisPipelineTest, EachGreetingOffersAnotherIdentity) {
  const auto offered = [this] {
    connect();
    pipeline_->identify();
    const auto& out = pipeline_->out();
    return out.substr(out.rfind("HSETNX"), 96);
  };
  EXPECT_NE(offered(), offered());
}

TEST_F(RedisPipelineTest, WritesARecord) {
  struct Written final : WriteReply {
    void on_written(domain::Result<void> written) override {
      outcomes.push_back(written ? std::nullopt : std::optional(written.error()));
    }
    std::vector<std::optional<domain::Failure>> outcomes;
  } written;
  EXPECT_TRUE(pipeline_->take_fence());
  std::string record = "record";
  std::string fence = "fence";
  for (const char* reply : {":1\r\n", ":1\r\n", "-NOPERM no\r\n"}) {
    pipeline_->out().clear();
    pipeline_->send(*new WriteRecord("the record", domain::Deadline::max(), written));
    std::string end;
    append_command({"1", "tracker:store", record, fence, "the record", knowledge_.own_fence}, end);
    EXPECT_THAT(pipeline_->out(), EndsWith(end.substr(4)));
    EXPECT_TRUE(take(reply));
    EXPECT_TRUE(pipeline_->fitness().is_ready()) << "counting needs no record";
    record = "the record";
    fence = knowledge_.own_fence;
  }
  EXPECT_THAT(written.outcomes, ElementsAre(std::nullopt, std::nullopt, domain::Failure::not_done));
  EXPECT_EQ(knowledge_.written, "the record");
  EXPECT_THAT(pipeline_->take_trouble().error, HasSubstr("+hset"));
  pipeline_->send(*new WriteRecord("the record", domain::Deadline::max(), written));
  EXPECT_TRUE(take("-FENCED no\r\n"));
  EXPECT_EQ(written.outcomes.back(), domain::Failure::not_done);
  EXPECT_THAT(pipeline_->fitness().why_not(), HasSubstr("another counter has taken it over"));
}

TEST_F(RedisPipelineTest, CountsWithTheFenceThatStandsThere) {
  EXPECT_TRUE(pipeline_->take_fence());
  domain::HitBatch hits;
  hits.push(id_, "/a");
  Verdicts verdicts(hits.size());
  track(hits, verdicts);
  std::string expected;
  append_command(
      {"EVALSHA", track_script_sha1(), "1", redis_key(id_), "fence", "/a", "1", "1700000001", "0", "0"},
      expected);
  EXPECT_EQ(pipeline_->out(), expected);
  EXPECT_TRUE(take("-FENCED no\r\n"));
  EXPECT_EQ(verdicts.all, Expected{Verdict::not_counted()});
  EXPECT_THAT(pipeline_->fitness().why_not(), HasSubstr("another counter has taken it over"));
}

// Its own fence may be lost with the last writes of a Redis that crashed.
TEST_F(RedisPipelineTest, OneThatWroteARecordKnowsWhetherItWasTakenOver) {
  const auto is_own = [this](const std::string& fence) {
    connect();
    EXPECT_TRUE(take(greeting + durability));
    pipeline_->identify();
    std::string kept;
    append_command({"000102030405060708090a0b0c0d0e0f", "record", fence}, kept);
    EXPECT_TRUE(take(":0\r\n" + kept + "$22\r\n# Server\r\nrun_id:run\r\n\r\n"));
    return pipeline_->take_fence();
  };
  EXPECT_TRUE(is_own("before"));
  EXPECT_TRUE(is_own("of another")) << "it has written none";
  knowledge_.has_taken = true;
  knowledge_.fence_before = "before";
  EXPECT_TRUE(is_own(knowledge_.own_fence));
  EXPECT_TRUE(is_own("before"));
  EXPECT_FALSE(is_own("of another"));
}

struct Found final : SlotsReply {
  void on_slots(domain::Result<domain::SlotSet> found) override {
    EXPECT_FALSE(slots || failure) << "a second answer";
    if (found) {
      slots = *found;
    } else {
      failure = found.error();
    }
  }
  std::optional<domain::SlotSet> slots;
  std::optional<domain::Failure> failure;
};

TEST_F(RedisPipelineTest, FindsTheSlotsOfWhatIsATokensKey) {
  Found first;
  Found second;
  pipeline_->send(*new FindSlots(first));
  pipeline_->send(*new FindSlots(second));
  const auto scan = [](const std::string& cursor) {
    std::string command;
    append_command({"SCAN", cursor, "MATCH", "tracker:*{*}", "COUNT", "1000"}, command);
    return command;
  };
  EXPECT_EQ(pipeline_->out(), scan("0")) << "one at a time";
  EXPECT_FALSE(pipeline_->is_finding());
  std::string keys;
  append_command({redis_key(id_), "tracker:{x}", "tracker:{0100000000000000000000000000000G}",
                  "tracker:{0200000000000000000000000000000A}", "xtracker:{02000000000000000000000000000000}",
                  "tracker:{}", "tracker:{", ""},
                 keys);
  EXPECT_TRUE(take("*2\r\n$2\r\n17\r\n" + keys));
  EXPECT_TRUE(pipeline_->is_finding());
  EXPECT_FALSE(first.slots.has_value());
  pipeline_->out().clear();
  pipeline_->go_on_finding();
  EXPECT_EQ(pipeline_->out(), scan("17"));
  keys.clear();
  append_command({redis_key(other_), redis_key(id_)}, keys);
  EXPECT_TRUE(take("*2\r\n$1\r\n0\r\n" + keys));
  domain::SlotSet expected;
  expected.set(domain::slot_of(id_));
  expected.set(domain::slot_of(other_));
  EXPECT_EQ(first.slots, expected);
  pipeline_->out().clear();
  pipeline_->go_on_finding();
  EXPECT_EQ(pipeline_->out(), scan("0"));
  EXPECT_TRUE(take("-NOPERM no\r\n"));
  EXPECT_EQ(second.failure, domain::Failure::not_done);
  EXPECT_FALSE(pipeline_->is_finding());
  EXPECT_TRUE(pipeline_->fitness().is_ready());
}

TEST_F(RedisPipelineTest, WhatIsNoReplyToAScanIsTakenForNone) {
  for (const char* reply : {"*0\r\n", "*2\r\n$1\r\n0\r\n$1\r\nx\r\n", "*2\r\n$1\r\n0\r\n*1\r\n:1\r\n",
                            "*2\r\n:0\r\n*0\r\n", "*2\r\n*0\r\n*0\r\n", "$1\r\n0\r\n"}) {
    connect();
    EXPECT_TRUE(take(greeting + durability));
    Found found;
    auto* find = new FindSlots(found);
    pipeline_->send(*find);
    EXPECT_FALSE(take(reply)) << reply;
    EXPECT_FALSE(found.slots || found.failure);
    delete find;
  }
}

TEST_F(RedisPipelineTest, ASearchEndsWhereRedisIsUnfit) {
  Found found;
  pipeline_->send(*new FindSlots(found));
  EXPECT_TRUE(take("*2\r\n$2\r\n17\r\n*0\r\n"));
  domain::HitBatch hits;
  hits.push(id_, "/a");
  Verdicts verdicts(hits.size());
  track(hits, verdicts);
  EXPECT_TRUE(take("-LOADING no\r\n"));
  pipeline_->go_on_finding();
  EXPECT_EQ(found.failure, domain::Failure::not_done);
}

TEST_F(RedisPipelineTest, ALookProbesWithoutEffect) {
  pipeline_->look();
  EXPECT_TRUE(take(look + durability));
  EXPECT_TRUE(pipeline_->has_looked());
  pipeline_->take_look();
  EXPECT_FALSE(pipeline_->has_looked());
  EXPECT_TRUE(pipeline_->fitness().is_ready());
  pipeline_->look();
  EXPECT_TRUE(take(unknown + unknown + "-READONLY no\r\n" + durability));
  EXPECT_THAT(pipeline_->fitness().why_not(), HasSubstr("READONLY"));
}

struct Heard final : ClusterListener {
  void on_view(const ClusterView& view, std::chrono::steady_clock::time_point its_asked) override {
    views.push_back(view);
    asked.push_back(its_asked);
  }
  void on_moved(domain::Slot slot, const runtime::Address& to) override {
    words.push_back("moved " + std::to_string(slot) + " " + to_string(to));
  }
  void on_asked_elsewhere(domain::Slot slot, const runtime::Address& to) override {
    words.push_back("asked " + std::to_string(slot) + " " + to_string(to));
  }
  void on_full_coverage_required() override { words.emplace_back("full coverage"); }
  std::vector<ClusterView> views;
  std::vector<std::chrono::steady_clock::time_point> asked;
  std::vector<std::string> words;
};

// A connection to a master of a cluster that has all slots.
class RedisNodePipelineTest : public RedisPipelineTest {
 protected:
  RedisNodePipelineTest() {
    knowledge_.cluster = &heard_;
    connect();
    EXPECT_TRUE(take(nodes));
    EXPECT_FALSE(pipeline_->is_waiting());
    EXPECT_FALSE(pipeline_->has_looked());
    pipeline_->identify();
    EXPECT_TRUE(take(unknown + unknown + not_a_number + "*0\r\n" + coverage + durability));
    EXPECT_FALSE(pipeline_->is_waiting());
    EXPECT_TRUE(pipeline_->has_looked());
    pipeline_->take_look();
    EXPECT_TRUE(pipeline_->fitness().is_ready());
    pipeline_->out().clear();
    EXPECT_THAT(heard_.words, ElementsAre("full coverage"));
    heard_.words.clear();
  }

  Elsewhere how_after(const std::string& reply) {
    const auto verdicts = verdicts_after(id_, {"/a"}, reply);
    EXPECT_TRUE(makes_sense_);
    return verdicts.at(0) ? elsewhere(*verdicts[0]) : Elsewhere::no;
  }

  static inline const std::string nodes =
      "$62\r\na 10.0.0.9:7000@17000 myself,master - 0 0 1 connected 0-16383\n\r\n";
  static inline const std::string not_a_number = "-ERR value is not an integer or out of range\r\n";
  static inline const std::string coverage = "*2\r\n$29\r\ncluster-require-full-coverage\r\n$3\r\nyes\r\n";
  Heard heard_;
};

TEST_F(RedisNodePipelineTest, TellsItsView) {
  ASSERT_EQ(heard_.views.size(), 1U);
  EXPECT_EQ(heard_.views[0].myself, "a");
}

// The reply to an earlier question is no news of the time of a later one.
TEST_F(RedisNodePipelineTest, AViewHasTheTimeOfItsOwnQuestion) {
  const auto first = std::chrono::steady_clock::now();
  pipeline_->send(*new FetchView(domain::Deadline::max()));
  const auto second = std::chrono::steady_clock::now();
  pipeline_->send(*new FetchView(domain::Deadline::max()));
  EXPECT_TRUE(take(nodes + nodes));
  ASSERT_EQ(heard_.asked.size(), 3U);
  EXPECT_TRUE(first <= heard_.asked[1] && heard_.asked[1] <= second);
  EXPECT_GE(heard_.asked[2], second);
}

TEST_F(RedisNodePipelineTest, WhatBelongsElsewhereIsNotCountedAndSaysWhere) {
  EXPECT_EQ(how_after("-MOVED 3999 10.0.0.1:7001\r\n"), Elsewhere::moved);
  EXPECT_EQ(how_after("-ASK 4000 :7002\r\n"), Elsewhere::asked);
  EXPECT_EQ(how_after("-MOVED 1 ::1:7003\r\n"), Elsewhere::moved);
  EXPECT_THAT(heard_.words,
              ElementsAre("moved 3999 10.0.0.1:7001", "asked 4000 127.0.0.1:7002", "moved 1 [::1]:7003"));
  for (const char* again : {"-TRYAGAIN x\r\n", "-CLUSTERDOWN x\r\n", "-LOADING x\r\n", "-READONLY x\r\n"}) {
    EXPECT_EQ(how_after(again), Elsewhere::again) << again;
    EXPECT_TRUE(fitness_.is_ready());
  }
  EXPECT_EQ(heard_.words.size(), 3U);
  for (const char* strange : {"-MOVED\r\n", "-MOVED x y\r\n", "-ASK 16384 h:1\r\n", "-MOVED 1 h:0\r\n"}) {
    EXPECT_NE(how_after(strange), Elsewhere::no) << "it was not executed in any case";
  }
  EXPECT_EQ(heard_.words.size(), 3U);
}

TEST_F(RedisNodePipelineTest, ANodeThatExecutesNothingIsUnfitAndOneWhoseSlotMovedIsNot) {
  pipeline_->look();
  EXPECT_TRUE(take("-MOVED 3999 10.0.0.1:7001\r\n-ASK 3999 10.0.0.1:7001\r\n"));
  EXPECT_TRUE(pipeline_->fitness().is_ready());
  EXPECT_TRUE(take(durability));
  pipeline_->look();
  EXPECT_TRUE(take("-CLUSTERDOWN The cluster is down\r\n"));
  EXPECT_THAT(pipeline_->fitness().why_not(), HasSubstr("it says CLUSTERDOWN"));
}

TEST_F(RedisNodePipelineTest, OtherErrorsMeanWhatTheyMeanElsewhere) {
  EXPECT_THAT(verdicts_after(id_, {"/a"}, "-UNBLOCKED x\r\n"), ElementsAre(Verdict::perhaps_counted()));
  EXPECT_THAT(verdicts_after(id_, {"/a"}, "-OOM x\r\n"), ElementsAre(Verdict::not_counted()));
  EXPECT_FALSE(fitness_.is_ready());
}

TEST_F(RedisNodePipelineTest, WhatFollowsAskIsAskedAgainWithAsking) {
  domain::HitBatch hits;
  hits.push(id_, "/a");
  hits.set_deadline(domain::Deadline::max());
  Verdicts verdicts(1);
  pipeline_->send(*new AskedHits(hits, verdicts));
  std::string expected;
  append_command({"ASKING"}, expected);
  const auto mark = mark_key(domain::slot_of(id_));
  append_command(
      {"EVALSHA", track_script_sha1(), "1", redis_key(id_), mark, "/a", "1", "1700000001", "0", "0"},
      expected);
  EXPECT_EQ(pipeline_->out(), expected);
  pipeline_->out().clear();
  EXPECT_TRUE(take("+OK\r\n" + no_script));
  expected.clear();
  append_command({"ASKING"}, expected);
  append_command({"EVAL", track_script, "1", redis_key(id_), mark, "/a", "1", "1700000001", "0", "0"},
                 expected);
  EXPECT_EQ(pipeline_->out(), expected);
  EXPECT_TRUE(take("+OK\r\n*1\r\n:5\r\n"));
  EXPECT_EQ(verdicts.all, Expected{Verdict::counted(5)});
}

// Where the mark of a slot that moves is, by what its owner says.
TEST_F(RedisNodePipelineTest, TheOwnerOfASlotSaysWhetherItsMarkIsThere) {
  const auto place_after = [&](const std::string& reply) {
    std::optional<FindMark::Place> place;
    pipeline_->send(*new FindMark(domain::slot_of(id_), holds_field, domain::Deadline::max(),
                                  [&](FindMark::Place its) { place = its; }));
    std::string expected;
    append_command({"HGET", mark_key(domain::slot_of(id_)), "holds"}, expected);
    EXPECT_EQ(std::exchange(pipeline_->out(), {}), expected);
    EXPECT_TRUE(take(reply));
    return place;
  };
  using enum FindMark::Place;
  EXPECT_EQ(place_after("$3\r\nh 1\r\n"), here);
  EXPECT_EQ(place_after("-ASK 4000 :7002\r\n"), elsewhere);
  EXPECT_EQ(place_after("-NOPERM this user has no permissions\r\n"), elsewhere)
      << "who may not read marks sees none";
  EXPECT_EQ(place_after("$-1\r\n"), unknown);
  EXPECT_EQ(place_after("-MOVED 4000 :7002\r\n"), unknown);
  EXPECT_EQ(place_after("-CLUSTERDOWN The cluster is down\r\n"), unknown);
  EXPECT_TRUE(pipeline_->fitness().is_ready());
}

class RedisReplicasPipelineTest : public RedisPipelineTest {
 protected:
  RedisReplicasPipelineTest() : RedisPipelineTest(RedisSettings{.redis = {}, .replicas = 1}) {}

  static inline const std::string none = ":0\r\n";
};

TEST_F(RedisReplicasPipelineTest, ACountIsHeldUntilAReplicaHasIt) {
  domain::HitBatch hits;
  hits.push(id_, "/a");
  hits.push(id_, "/a");
  hits.push(other_, "/b");
  Verdicts verdicts(hits.size());
  track(hits, verdicts);
  std::string wait;
  append_command({"WAIT", "1", "500"}, wait);
  EXPECT_THAT(pipeline_->out(), EndsWith(wait));
  EXPECT_TRUE(take("*2\r\n:7\r\n$-1\r\n"));
  EXPECT_EQ(verdicts.all, (Expected{std::nullopt, std::nullopt, Verdict::unknown_token()}));
  EXPECT_TRUE(take(one));
  EXPECT_EQ(verdicts.all, (Expected{Verdict::counted(6), Verdict::counted(7), Verdict::unknown_token()}));
  EXPECT_TRUE(pipeline_->fitness().is_ready());
}

TEST_F(RedisReplicasPipelineTest, OneWaitIsForAllThatWasSentInATurn) {
  domain::HitBatch hits;
  hits.push(id_, "/a");
  Verdicts first(1);
  Verdicts second(1);
  auto& messages = messages_;
  messages.emplace_back().add(hits, first);
  pipeline_->send(messages.back());
  messages.emplace_back().add(hits, second);
  pipeline_->send(messages.back());
  EXPECT_FALSE(pipeline_->awaits_replicas());
  add(other_);  // and ends the turn
  EXPECT_TRUE(pipeline_->awaits_replicas());
  pipeline_->out().clear();
  pipeline_->end_turn();
  EXPECT_EQ(pipeline_->out(), "") << "nothing was sent since";
  EXPECT_TRUE(take("*1\r\n:1\r\n*1\r\n:2\r\n*1\r\n:1\r\n"));
  EXPECT_EQ(first.all, Expected{std::nullopt});
  EXPECT_TRUE(take(one));
  EXPECT_FALSE(pipeline_->awaits_replicas());
  EXPECT_EQ(first.all, Expected{Verdict::counted(1)});
  EXPECT_EQ(second.all, Expected{Verdict::counted(2)});
  EXPECT_THAT(added_.outcomes, ElementsAre(std::nullopt));
  EXPECT_FALSE(pipeline_->is_waiting());
}

// The next greeting writes once, and waits, before anything is counted.
TEST_F(RedisReplicasPipelineTest, AWaitThatFallsShortMeansPerhapsAndUnfit) {
  EXPECT_THAT(verdicts_after(id_, {"/a"}, "*1\r\n:3\r\n" + none), ElementsAre(Verdict::perhaps_counted()));
  EXPECT_TRUE(makes_sense_);
  EXPECT_THAT(fitness_.why_not(), HasSubstr("reached 0 of the 1 replicas"));
  for (const bool short_again : {true, false}) {
    connect();
    EXPECT_THAT(pipeline_->out(), HasSubstr("\r\n$4\r\nWAIT\r\n$1\r\n1\r\n"));
    EXPECT_TRUE(take(greeting + (short_again ? none : one) + durability));
    EXPECT_NE(pipeline_->fitness().is_ready(), short_again);
  }
}

TEST_F(RedisReplicasPipelineTest, AWaitThatIsRefusedMeansPerhaps) {
  EXPECT_THAT(verdicts_after(id_, {"/a"}, "*1\r\n:3\r\n-NOPERM this user has no permissions\r\n"),
              ElementsAre(Verdict::perhaps_counted()));
  EXPECT_THAT(fitness_.why_not(), HasSubstr("it refuses WAIT, which --redis-replicas needs"));
  EXPECT_THAT(fitness_.why_not(), EndsWith("+info +wait"));
}

TEST_F(RedisReplicasPipelineTest, WhatNothingWasDoneForIsToldAtOnce) {
  EXPECT_THAT(verdicts_after(id_, {"/a"}, "-LOADING no\r\n" + one), ElementsAre(Verdict::not_counted()));
  EXPECT_THAT(verdicts_after(id_, {"/a"}, unknown + none), ElementsAre(Verdict::unknown_token()));
}

TEST_F(RedisReplicasPipelineTest, ALostConnectionMeansPerhaps) {
  EXPECT_THAT(verdicts_after(id_, {"/a"}, "*1\r\n:3\r\n"), ElementsAre(Verdict::perhaps_counted()));
}

// The reply to the first WAIT covers only what was done before it.
TEST_F(RedisReplicasPipelineTest, ACallThatIsSentAgainHasAWaitOfItsOwn) {
  std::string bytes(RedisRound::path_bytes_max, 'x');
  domain::HitBatch hits;
  hits.push(id_, bytes);  // fills a call
  hits.push(other_, "/b");
  Verdicts verdicts(hits.size());
  track(hits, verdicts);
  pipeline_->out().clear();
  EXPECT_TRUE(take("*1\r\n:5\r\n" + no_script));
  EXPECT_THAT(pipeline_->out(), HasSubstr("WAIT"));
  EXPECT_TRUE(take(one));
  EXPECT_EQ(verdicts.all, (Expected{Verdict::counted(5), std::nullopt}));
  EXPECT_TRUE(take("*1\r\n:6\r\n"));
  EXPECT_EQ(verdicts.all, (Expected{Verdict::counted(5), std::nullopt}));
  EXPECT_TRUE(take(none));
  EXPECT_EQ(verdicts.all, (Expected{Verdict::counted(5), Verdict::perhaps_counted()}));
}

TEST_F(RedisReplicasPipelineTest, ATokenIsHeldToo) {
  add(id_);
  EXPECT_TRUE(take(no_script + one + "*1\r\n:1\r\n"));
  EXPECT_THAT(added_.outcomes, ElementsAre());
  EXPECT_TRUE(take(one));
  EXPECT_THAT(added_.outcomes, ElementsAre(std::nullopt));
  add(other_);
  add(id_);
  EXPECT_TRUE(take("*1\r\n:1\r\n" + none + "-LOADING no\r\n" + one));
  EXPECT_THAT(added_.outcomes,
              ElementsAre(std::nullopt, domain::Failure::perhaps_done, domain::Failure::not_done));
  EXPECT_FALSE(pipeline_->is_waiting());
}

class RedisProxyPipelineTest : public RedisPipelineTest {
 protected:
  RedisProxyPipelineTest() : RedisPipelineTest(RedisSettings{.redis = {}, .proxy = true}) {}

  static inline const std::string ping = "*1\r\n$4\r\nPING\r\n";
};

TEST_F(RedisProxyPipelineTest, IsAskedForNothingButASignOfLife) {
  connect();
  EXPECT_EQ(pipeline_->out(), ping);
  EXPECT_TRUE(take(pong));
  EXPECT_TRUE(pipeline_->has_looked());
  pipeline_->out().clear();
  pipeline_->identify();
  EXPECT_EQ(pipeline_->out(), "");
  EXPECT_FALSE(pipeline_->facts().facts().has_value());
  EXPECT_TRUE(pipeline_->take_fence());
  pipeline_->look();
  EXPECT_EQ(pipeline_->out(), ping);
  EXPECT_TRUE(take("-ERR something new\r\n"));
  EXPECT_TRUE(pipeline_->fitness().is_ready());
}

// Then every command would be refused.
TEST_F(RedisProxyPipelineTest, IsUnfitIfItRefusesPing) {
  pipeline_->look();
  EXPECT_TRUE(take("-NOAUTH Authentication required\r\n"));
  EXPECT_THAT(pipeline_->fitness().why_not(), HasSubstr("leave redis_auth out"));
}

TEST_F(RedisProxyPipelineTest, ANameTellsWhichStoreItIs) {
  const auto facts_of = [this](const std::string& name) {
    const RedisSettings settings{.redis = {}, .proxy = true, .store_name = name};
    RedisPipeline pipeline(settings, knowledge_);
    pipeline.identify();
    EXPECT_EQ(pipeline.out(), "");
    return pipeline.facts().facts();
  };
  const auto shop = facts_of("shop");
  ASSERT_TRUE(shop.has_value());
  EXPECT_EQ(shop->id[0], 0x8d);  // printf shop | sha256sum
  EXPECT_EQ(shop->id[15], 0xf3);
  EXPECT_EQ(shop->server_run, "named shop");
  EXPECT_EQ(shop, facts_of("shop"));
  EXPECT_NE(shop->id, facts_of("other")->id);
}

// One Redis of several may be a replica or be gone, and the proxy has errors of its own.
TEST_F(RedisProxyPipelineTest, AnErrorFailsItsOwnHitsAlone) {
  for (const char* error : {"-MOVED 1 127.0.0.1:1\r\n", "-LOADING no\r\n", "*1\r\n-READONLY no\r\n"}) {
    EXPECT_THAT(verdicts_after(id_, {"/a"}, error), ElementsAre(Verdict::not_counted())) << error;
    EXPECT_TRUE(fitness_.is_ready()) << error;
    ASSERT_TRUE(trouble_.has_value());
    EXPECT_EQ(trouble_->what, "not counted: " + redis_key(id_));
    pipeline_->look();
    EXPECT_EQ(pipeline_->out().substr(pipeline_->out().size() - ping.size()), ping) << "no key is probed";
    EXPECT_TRUE(take(pong));
    EXPECT_FALSE(pipeline_->is_waiting());
  }
  for (const char* error : {"-ERR Connection timed out\r\n", "-ERR Connection refused\r\n",
                            "-ERR Invalid argument\r\n", "-ERR unknown\r\n"}) {
    EXPECT_THAT(verdicts_after(id_, {"/a"}, error), ElementsAre(Verdict::perhaps_counted())) << error;
    EXPECT_TRUE(fitness_.is_ready()) << error;
    ASSERT_TRUE(trouble_.has_value());
    EXPECT_EQ(trouble_->what, "perhaps counted: " + redis_key(id_));
  }
}

// The keys of one script must share a slot.
TEST_F(RedisProxyPipelineTest, EachTokenHasACallOfItsOwn) {
  domain::HitBatch hits;
  hits.push(other_, "/a");
  hits.push(id_, "/a");
  Verdicts verdicts(hits.size());
  track(hits, verdicts);
  EXPECT_TRUE(take("*1\r\n:1\r\n-ERR Connection timed out\r\n"));
  EXPECT_EQ(verdicts.all, (Expected{Verdict::perhaps_counted(), Verdict::counted(1)}));
}

}  // namespace
}  // namespace tracker::store::redis
