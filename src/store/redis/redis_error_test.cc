#include "store/redis/redis_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tracker::store::redis {
namespace {

using testing::HasSubstr;
using testing::Not;

RedisSettings settings_of(const std::string& address) {
  return {.redis = parse_redis_address(address)};
}

// All errors that concern the whole Redis, in the words of the different versions.
constexpr std::string_view unfit_errors[] = {
    "READONLY You can't write against a read only replica.",
    "@user_script: 5: -READONLY You can't write against a read only replica.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "LOADING Redis is loading the dataset in memory",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Redis is configured to save RDB snapshots",
    "NOREPLICAS Not enough good replicas to write.",
    "NOAUTH Authentication required.",
    "NOPERM this user has no permissions to run the 'hincrby' command",
    "NOPERM User counter has no permissions to access the 'x' key",
    "ERR The user executing the script can't run this command or subcommand",
    "@user_script: 3: The user executing the script can't run this command or subcommand",
    "ERR ACL failure in script: User counter has no permissions to run the 'hincrby' command",
    "MOVED 866 127.0.0.1:7001",
    "ASK 866 127.0.0.1:7001",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "CROSSSLOT Keys in request don't hash to the same slot",
    "CLUSTERDOWN Hash slot not served",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "DENIED Redis is running in protected mode because protected mode is enabled",
    "ERR unknown command 'HINCRBY', with args beginning with: 'tracker:{x}' ",
    "ERR unknown command `HINCRBY`, with args beginning with: ",
    "ERR Unknown Redis command called from script",
    "@user_script: 2: Unknown Redis command called from Lua script",
};

constexpr std::string_view errors_of_a_key[] = {
    "NOSCRIPT No matching script. Please use EVAL.",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "ERR hash value is not an integer",
    "ERR increment or decrement would overflow",
};

constexpr std::string_view errors_of_a_proxy[] = {"ERR Connection timed out", "upstream failure", "",
                                                  "BUSYKEY", "MOVEDX"};

TEST(RedisErrorTest, SaysWhatConcernsAll) {
  for (const auto error : unfit_errors) EXPECT_TRUE(is_unfit(error)) << error;
  for (const auto error : errors_of_a_key) EXPECT_FALSE(is_unfit(error)) << error;
  for (const auto error : errors_of_a_proxy) EXPECT_FALSE(is_unfit(error)) << error;
}

// A proxy has errors of its own, and Redis may still execute what the proxy has given up.
TEST(RedisErrorTest, BehindAProxyOnlyRedisOwnErrorsMeanNotExecuted) {
  for (const auto error : unfit_errors) EXPECT_TRUE(is_not_executed(error, true)) << error;
  for (const auto error : errors_of_a_key) EXPECT_TRUE(is_not_executed(error, true)) << error;
  for (const auto error : errors_of_a_proxy) {
    EXPECT_FALSE(is_not_executed(error, true)) << error;
    EXPECT_TRUE(is_not_executed(error, false)) << error;
  }
}

TEST(RedisErrorTest, AScriptThatBeganMayHaveWritten) {
  for (const std::string_view error :
       {"NOSCRIPT No matching script", "NOPERM no", "BUSY Redis is busy", "LOADING no", "CROSSSLOT no"}) {
    EXPECT_TRUE(is_not_begun(error)) << error;
  }
  for (const std::string_view error :
       {"@user_script: 5: -READONLY no", "ERR Error running script (call to f_1): not enough memory",
        "ERR Script killed by user with SCRIPT KILL.", "ERR Connection timed out", "WRONGTYPE no"}) {
    EXPECT_FALSE(is_not_begun(error)) << error;
  }
}

TEST(RedisErrorTest, WhatTheScriptRefusesWasNotExecutedBehindAProxyEither) {
  for (const std::string_view error : {"PATHS no", "TOKENS no", "NEWER no"}) {
    EXPECT_TRUE(is_not_executed(error, true)) << error;
    EXPECT_FALSE(is_unfit(error)) << error;
    EXPECT_EQ(is_too_many_paths(error), error.starts_with("PATHS"));
    EXPECT_EQ(is_too_many_tokens(error), error.starts_with("TOKENS"));
  }
}

TEST(RedisErrorTest, NamesTheRemedy) {
  const auto settings = settings_of("redis://counter:secret@127.0.0.1:6379");
  EXPECT_EQ(
      explain("NOPERM this user has no permissions to run the 'hincrby' command", settings),
      "it says NOPERM this user has no permissions to run the 'hincrby' command: its ACL is too narrow; "
      "this would do: ACL SETUSER counter ~tracker:* +hsetnx +hexists +hincrby +eval +evalsha +del +hlen "
      "+hkeys +hdel +dbsize +renamenx +unlink +hset +hget +hmget +scan +select +ping +config|get +info");
  EXPECT_THAT(explain("NOPERM no", settings_of("127.0.0.1:6379")),
              HasSubstr("ACL SETUSER default ~tracker:* "));
  EXPECT_THAT(explain("MOVED 866 127.0.0.1:7001", settings), HasSubstr("this is a node of a Redis Cluster"));
  EXPECT_THAT(
      explain("NOAUTH Authentication required.", settings),
      HasSubstr("Authentication required: it wants a password; give it in --redis-addr (REDIS_ADDR)"));
  EXPECT_THAT(explain("NOAUTH Authentication required", RedisSettings{.redis = {}, .proxy = true}),
              HasSubstr("leave redis_auth out of its configuration"));
  EXPECT_THAT(explain("BUSY Redis is busy running a script.", settings), HasSubstr("SCRIPT KILL"));
  EXPECT_THAT(explain("ERR unknown command 'HINCRBY'", settings), HasSubstr("rename-command"));
  EXPECT_THAT(explain("READONLY no", settings), HasSubstr("must name its primary"));
  EXPECT_THAT(explain("ERR This instance has cluster support disabled", settings),
              HasSubstr("give --store redis"));
  EXPECT_EQ(explain("ERR something new", settings), "it says ERR something new");
}

TEST(RedisErrorTest, WhatPeersSayIsShortAndPrintable) {
  EXPECT_EQ(printable("ERR \x1b[2J\xff"), "ERR ?[2J?");
  EXPECT_EQ(printable("ERR " + std::string(1'000, 'x')).size(), 163U);
  EXPECT_EQ(printable("ERR unknown command 'AUTH', with args beginning with: 'secret' "),
            "ERR unknown command 'AUTH'");
}

TEST(RedisErrorTest, TroubleWithTheLoginNamesTheSettingAndNoPassword) {
  const auto settings = settings_of("redis://counter:secret@127.0.0.1:6379");
  for (const auto* error :
       {"WRONGPASS invalid username-password pair or user is disabled.", "ERR invalid password",
        "ERR Client sent AUTH, but no password is set",
        "ERR AUTH <password> called without any password configured for the default user.",
        "ERR wrong number of arguments for 'auth' command",
        "ERR unknown command 'AUTH', with args beginning with: 'counter' 'secret' ",
        "ERR unknown command 'AUTH' 'secret' 'secret'"}) {
    SCOPED_TRACE(error);
    const auto why = explain_login(error, settings);
    EXPECT_THAT(why, HasSubstr("--redis-addr (REDIS_ADDR)"));
    EXPECT_THAT(why, Not(HasSubstr("secret")));
  }
  EXPECT_EQ(explain_login("ERR max number of clients reached", settings),
            "it says ERR max number of clients reached");
}

TEST(RedisErrorTest, StrangersAreNamed) {
  const std::pair<std::string_view, const char*> rows[] = {
      {"HTTP/1.1 400 Bad Request\r\n", "but HTTP;"},
      {"<!DOCTYPE HTML>", "but HTTP;"},
      {"\x15\x03\x03", "it speaks TLS;"},
      {"ERROR\r\n", "memcached"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "it says \"SSH-2.0-OpenSSH_9.2??\""}};
  for (const auto& [beginning, words] : rows) {
    EXPECT_THAT(explain_stranger(beginning), HasSubstr(words));
    EXPECT_THAT(explain_stranger(beginning), HasSubstr("--redis-addr (REDIS_ADDR) must name a Redis"));
  }
  EXPECT_THAT(explain_silent_end("it closed the connection"), HasSubstr("if it wants TLS, --redis-addr"));
}

TEST(RedisError, HeldTokensAreNoFaultOfThisRedis) {
  for (const char* error : {"HELD some", "HELD all", "HELD h 01020300000000000000000000000000"}) {
    EXPECT_TRUE(is_held(error)) << error;
    EXPECT_FALSE(is_unfit(error)) << error;
    EXPECT_TRUE(is_not_executed(error, false)) << error;
    EXPECT_EQ(is_all_held(error), error == std::string_view("HELD all"));
  }
  EXPECT_FALSE(is_held("FENCED all"));
  EXPECT_FALSE(is_all_held("ERR all"));
  EXPECT_TRUE(is_denied("NOPERM no"));
  EXPECT_FALSE(is_denied("HELD all"));
}

}  // namespace
}  // namespace tracker::store::redis
