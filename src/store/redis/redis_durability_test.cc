#include "store/redis/redis_durability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <memory>
#include <optional>
#include <vector>

#include "store/redis/redis_round.h"

namespace tracker::store::redis {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::size_t questions = RedisDurability::config_questions + RedisDurability::info_questions;

void take(RedisDurability& durability, const std::string& bytes) {
  const std::unique_ptr<redisReader, void (*)(redisReader*)> reader(redisReaderCreate(), redisReaderFree);
  redisReaderFeed(reader.get(), bytes.data(), bytes.size());
  void* reply = nullptr;
  ASSERT_EQ(redisReaderGetReply(reader.get(), &reply), REDIS_OK);
  ASSERT_NE(reply, nullptr) << bytes;
  durability.take(*static_cast<redisReply*>(reply));
  freeReplyObject(reply);
}

/// A reply to CONFIG GET, names and values. It has the form of a command.
std::string config(std::initializer_list<std::string_view> names_and_values) {
  std::string bytes;
  append_command(names_and_values, bytes);
  return bytes;
}

std::string info(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

struct Settings {
  std::string appendonly = "yes";
  std::string appendfsync = "always";
  std::string on_rewrite = "no";
  std::string save = "3600 1 300 100";
  std::string policy = "noeviction";
  std::string maxmemory = "0";
  std::string rewriting = "0";
  std::string scheduled = "0";
  std::string last_rewrite = "ok";
};

RedisDurability told(const Settings& settings) {
  RedisDurability durability;
  take(durability,
       config({"appendonly", settings.appendonly, "no-appendfsync-on-rewrite", settings.on_rewrite,
               "appendfsync", settings.appendfsync, "appendfilename", "appendonly.aof"}));
  take(durability, config({"maxmemory-policy", settings.policy, "maxmemory", settings.maxmemory}));
  take(durability, config({"save", settings.save}));
  take(durability,
       info("# Persistence\r\naof_enabled:" + std::string(settings.appendonly == "yes" ? "1" : "0") +
            "\r\naof_rewrite_in_progress:" + settings.rewriting + "\r\naof_rewrite_scheduled:" +
            settings.scheduled + "\r\naof_last_bgrewrite_status:" + settings.last_rewrite + "\r\n"));
  take(durability, info("# Memory\r\nmaxmemory:" + settings.maxmemory +
                        "\r\nmaxmemory_policy:" + settings.policy + "\r\n"));
  durability.follow({}, true);
  return durability;
}

TEST(RedisDurability, AsksSoManyQuestions) {
  std::string out;
  RedisDurability::append_questions(out);
  std::size_t commands = 0;
  for (std::size_t i = 0; i < out.size(); ++i) commands += out[i] == '*' && (i == 0 || out[i - 1] == '\n');
  EXPECT_EQ(commands - 1, questions) << "the pattern *append* begins with one, too\n" << out;
}

TEST(RedisDurability, TellsWhatEachSettingLoses) {
  const struct {
    Settings settings;
    const char* loses;
    const char* shortfall;  // empty: none
  } rows[] = {
      {{}, "neither a crash of this Redis nor a power cut loses anything", ""},
      {{.on_rewrite = "yes"}, "while it rewrites", "no-appendfsync-on-rewrite is yes and must be no"},
      {{.appendfsync = "everysec"},
       "a power cut about the last second",
       "appendfsync is everysec and must be always"},
      {{.appendfsync = "no"}, "about the last 30 s", "appendfsync is no and must be always"},
      {{.appendonly = "no"},
       "loses all since its last snapshot (appendonly no, save 3600 1",
       "appendonly is no"},
      {{.appendonly = "no", .save = ""},
       "loses all tokens and counts (appendonly no, save \"\"",
       "appendonly is no"},
      {{.policy = "allkeys-lru", .maxmemory = "100"},
       "is full it evicts tokens",
       "maxmemory-policy is allkeys-lru"},
      {{.policy = "allkeys-lru"}, "with a maxmemory it would evict", "maxmemory-policy is allkeys-lru"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.loses);
    const auto durability = told(row.settings);
    EXPECT_THAT(durability.what_a_crash_loses(), HasSubstr(row.loses));
    EXPECT_THAT(durability.shortfall().value_or(""), HasSubstr(row.shortfall));
    EXPECT_EQ(durability.shortfall().has_value(), *row.shortfall != '\0');
  }
}

TEST(RedisDurability, TellsWhatAFailoverLoses) {
  const std::string master = "role:master\r\n";
  const std::string one = "slave0:ip=127.0.0.1,port=7,state=online,offset=1,lag=0\r\n";
  const std::string late = "slave1:ip=127.0.0.1,port=8,state=wait_bgsave,offset=0,lag=0\r\n";
  const struct {
    std::string replication;
    std::size_t awaited;
    std::optional<std::size_t> online;
    const char* loses;  // empty: it says nothing
  } rows[] = {
      {"", 0, std::nullopt, ""},
      {"", 1, std::nullopt, "how many replicas it has is not known"},
      {"role:slave\r\nslave_repl_offset:1\r\n" + one, 0, std::nullopt, ""},
      {master + "slave_repl_offset:1\r\n", 0, 0, ""},
      {master + late, 1, 0, "it has 0 replicas, and --redis-replicas asks for 1"},
      {master + one + late, 0, 1, "loses what the promoted one has not received yet"},
      {master + one + late, 1, 1, "loses nothing that was answered, provided that"},
      {master + one + one, 1, 2, "only 1 of them"},
  };
  for (const auto& row : rows) {
    RedisDurability durability;
    take(durability, info("# Replication\r\n" + row.replication));
    EXPECT_EQ(durability.online_replicas(), row.online);
    const auto loses = durability.what_a_failover_loses(row.awaited);
    EXPECT_THAT(loses, HasSubstr(row.loses));
    EXPECT_EQ(loses.empty(), *row.loses == '\0') << loses;
  }
}

// tracker's keys never expire, so these policies evict none of them. But the requirement is noeviction.
TEST(RedisDurability, EvictingWhatExpiresLosesNothing) {
  const auto durability = told({.policy = "volatile-lru", .maxmemory = "100"});
  EXPECT_THAT(durability.what_a_crash_loses(), Not(HasSubstr("evicts")));
  EXPECT_THAT(durability.shortfall().value_or(""), HasSubstr("must be noeviction"));
}

TEST(RedisDurability, NamesAllThatFallsShort) {
  EXPECT_EQ(told({.appendonly = "no", .appendfsync = "everysec", .policy = "allkeys-lfu"}).shortfall(),
            "appendonly is no and must be yes, appendfsync is everysec and must be always, "
            "maxmemory-policy is allkeys-lfu and must be noeviction");
}

TEST(RedisDurability, WithoutConfigInfoTellsAFewThings) {
  RedisDurability durability;
  for (int i = 0; i < 3; ++i) take(durability, "-NOPERM no permissions\r\n");
  take(durability, info("aof_enabled:1\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n"
                        "aof_last_bgrewrite_status:ok\r\n"));
  take(durability, info("maxmemory:0\r\nmaxmemory_policy:noeviction\r\n"));
  durability.follow({}, true);
  EXPECT_EQ(durability.what_a_crash_loses(),
            "a crash of this Redis loses the last 2 s at most; what a power cut loses is not known: it says "
            "NOPERM no permissions (appendonly yes, maxmemory-policy noeviction, maxmemory 0)");
  EXPECT_EQ(durability.shortfall(),
            "appendfsync is not known and must be always, no-appendfsync-on-rewrite is not known and must be "
            "no: it says NOPERM no permissions");
}

TEST(RedisDurability, WithoutConfigOneThatDoesNotAppendIsKnown) {
  RedisDurability durability;
  take(durability, "-ERR unknown command\r\n");
  take(durability, info("aof_enabled:0\r\n"));
  EXPECT_THAT(durability.what_a_crash_loses(),
              HasSubstr("loses all since its last snapshot, if it makes any"));
}

TEST(RedisDurability, WhatRefusesEverythingIsNotKnown) {
  RedisDurability durability;
  for (std::size_t i = 0; i < questions; ++i) take(durability, "-NOPERM no permissions\r\n");
  durability.follow({}, true);
  EXPECT_EQ(durability.what_a_crash_loses(),
            "what a crash of this Redis loses is not known: it says NOPERM no permissions; whether it may "
            "evict tokens and their counts is not known");
  EXPECT_TRUE(durability.shortfall().has_value());
}

// After CONFIG SET appendonly yes, the file lacks the older data until the first rewrite is done.
TEST(RedisDurability, AFileThatIsStillWrittenDoesNotCount) {
  const auto without = told({.appendonly = "no"});
  auto begun = told({.rewriting = "1"});
  begun.follow(without, false);
  EXPECT_THAT(begun.shortfall().value_or(""), HasSubstr("may be incomplete until it has been rewritten"));
  EXPECT_THAT(begun.what_a_crash_loses(), HasSubstr("may be incomplete until it has been rewritten"));
  auto still = told({.rewriting = "1"});
  still.follow(begun, false);
  EXPECT_TRUE(still.shortfall().has_value());
  auto done = told({});
  done.follow(still, false);
  EXPECT_EQ(done.shortfall(), std::nullopt);
  auto ordinary = told({.rewriting = "1"});
  ordinary.follow(done, false);
  EXPECT_EQ(ordinary.shortfall(), std::nullopt);
}

// The first rewrite may have begun before the first look, and looks like any other. What an earlier connection saw does
// not help, because Redis may have been restarted since then.
TEST(RedisDurability, OnConnectingEveryRewriteMayBeTheFirst) {
  for (const Settings& settings :
       {Settings{.rewriting = "1"}, Settings{.scheduled = "1"}, Settings{.last_rewrite = "err"}}) {
    auto begun = told(settings);
    begun.follow(told({}), true);
    EXPECT_THAT(begun.shortfall().value_or(""), HasSubstr("may be incomplete until it has been rewritten"));
    auto done = told({});
    done.follow(begun, false);
    EXPECT_EQ(done.shortfall(), std::nullopt);
  }
}

TEST(RedisDurability, WithoutInfoAFileMayBeIncomplete) {
  RedisDurability durability;
  take(durability, config({"appendonly", "yes", "appendfsync", "always", "no-appendfsync-on-rewrite", "no"}));
  take(durability, config({"maxmemory-policy", "noeviction"}));
  take(durability, "-NOPERM no permissions\r\n");
  durability.follow({}, true);
  EXPECT_EQ(
      durability.shortfall(),
      "its append-only file may be incomplete until it has been rewritten (BGREWRITEAOF), and whether it is "
      "being rewritten is not known: it says NOPERM no permissions");
}

}  // namespace
}  // namespace tracker::store::redis
