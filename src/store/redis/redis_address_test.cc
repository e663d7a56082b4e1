#include "store/redis/redis_address.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace tracker::store::redis {

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

TEST(RedisAddress, SchemeIsReadInEitherCaseAndAUserMayHaveItsPasswordElsewhere) {
  EXPECT_EQ(parse_redis_address("REDIS://h:1"), (RedisAddress{{"h", 1}, "", "", 0}));
  EXPECT_EQ(parse_redis_address("redis://me@h:1"), (RedisAddress{{"h", 1}, "me", "", 0}));
  EXPECT_EQ(parse_redis_address("redis://me:@h:1"), (RedisAddress{{"h", 1}, "me", "", 0}));
}

TEST(RedisAddress, SaysWhichPartIsWrongAndRepeatsNoneOfIt) {
  const struct {
    const char* text;
    const char* named;
  } cases[] = {
      {"", "host is missing"},
      {"s3cr", "port is missing"},
      {":6379", "host is missing"},
      {"s3cr:0", "port, which"},
      {"s3cr:65536", "port, which"},
      {"s3cr:6379x", "port, which"},
      {"s3cr:", "port, which"},
      {"s3cr s3cr:6379", "its host"},
      {"::1:6379", "brackets"},
      {"h:1,s3cr:2", "Cluster"},
      {"h:1/s3cr", "redis://host:port/db"},
      {":s3cr@h:1", "redis://user:password@host:port/db"},
      {"/run/s3cr", "Unix socket"},
      {"./s3cr", "Unix socket"},
      {"s3cr.sock", "Unix socket"},
      {"unix:///run/s3cr", "Unix socket"},
      {"redis+unix:///run/s3cr", "Unix socket"},
      {"redis-socket:///run/s3cr", "Unix socket"},
      {"rediss://:s3cr@h:1", "TLS"},
      {"RedisS://:s3cr@h:1", "TLS"},
      {"http://:s3cr@h:1", "scheme"},
      {"redis://", "host is missing"},
      {"redis://:6379", "host is missing"},
      {"redis://:s3cr@", "host is missing"},
      {"redis://:s3cr", "host is missing"},
      {"redis://:@h:1", "password before the @ is empty"},
      {"redis://::1:6379", "brackets"},
      {"redis://h:s3cr", "port, which"},
      {"redis://h:99999", "port, which"},
      {"redis://h/s3cr", "database"},
      {"redis://h/-1", "database"},
      {"redis://h:1/0x", "database"},
      {"redis://h:1/0/", "database"},
      {"redis://h:1/99999999999", "database"},
      {"redis://:s3cr/s3cr=@h:1", "%2F"},
      {"redis://:s3cr?s3cr@h:1", "%3F"},
      {"redis://:s3cr#s3cr@h:1", "%23"},
      {"redis://:s3cr%s3cr@h:1", "%25"},
      {"redis://:s3cr%@h:1", "%25"},
      {"redis://:s3cr%4@h:1", "%25"},
      {"redis://s3%zzcr:x@h:1", "in the user"},
      {"redis://:s3cr@h:1/0?protocol=3", "query"},
      {"redis://h:1?s3cr", "query"},
      {"redis://:s3cr@h:1/0#s3cr", "fragment"},
      {"redis://:s3cr@h 1:2", "its host"},
  };
  for (const auto& c : cases) {
    try {
      parse_redis_address(c.text);
      ADD_FAILURE() << c.text;
    } catch (const std::invalid_argument& error) {
      const std::string what = error.what();
      EXPECT_NE(what.find(c.named), what.npos) << c.text << ": " << what;
      EXPECT_EQ(what.find("s3"), what.npos) << c.text << ": " << what;
    }
  }
}

TEST(RedisAddress, TheSecretIsNotWritten) {
  EXPECT_EQ(to_string(parse_redis_address("redis://me:secret@h:1/2")), "h:1/2");
}

}  // namespace tracker::store::redis
