#include "store/redis/redis_address.h"

#include <gtest/gtest.h>

namespace tracker::store {

TEST(RedisAddress, ReadsBothForms) {
  const struct {
    const char* text;
    RedisAddress address;
  } cases[] = {
      {"127.0.0.1:6379", {{"127.0.0.1", 6379}, "", "", 0}},
      {"[::1]:7000", {{"::1", 7000}, "", "", 0}},
      {"redis://redis.local", {{"redis.local", 6379}, "", "", 0}},
      {"redis://redis.local/", {{"redis.local", 6379}, "", "", 0}},
      {"redis://redis.local:7000/3", {{"redis.local", 7000}, "", "", 3}},
      {"redis://[::1]/3", {{"::1", 6379}, "", "", 3}},
      {"redis://:secret@redis.local:7000", {{"redis.local", 7000}, "", "secret", 0}},
      {"redis://me:p%40ss%3Aw%2Ford@[::1]:7000/15", {{"::1", 7000}, "me", "p@ss:w/ord", 15}},
      {"redis://me:p:a@s@h:1/0", {{"h", 1}, "me", "p:a@s", 0}},
  };
  for (const auto& c : cases) EXPECT_EQ(parse_redis_address(c.text), c.address) << c.text;
}

TEST(RedisAddress, RefusesTheRest) {
  for (const auto* text : {"", "redis", ":6379", "h:0", "redis://", "redis://:6379", "redis://h/x",
                           "redis://h/-1", "redis://h:1/0x", "redis://secret@h:1", "redis://me:@h:1",
                           "redis://me:%zz@h:1", "redis://me:%4@h:1", "rediss://h:1", "http://h:1"}) {
    EXPECT_FALSE(parse_redis_address(text).has_value()) << text;
  }
}

TEST(RedisAddress, TheSecretIsNotWritten) {
  EXPECT_EQ(to_string(*parse_redis_address("redis://me:secret@h:1/2")), "h:1/2");
}

}  // namespace tracker::store
