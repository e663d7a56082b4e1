#include "store/redis/redis_keys.h"

#include <gtest/gtest.h>

#include <set>

namespace tracker::store::redis {
namespace {

const domain::TokenId id{{0xAB, 0xCD}};

TEST(RedisKeys, BothKeysOfATokenHaveItsHashTag) {
  EXPECT_EQ(redis_key(id), "tracker:{abcd0000000000000000000000000000}");
  EXPECT_EQ(held_key(id), "tracker:held:{abcd0000000000000000000000000000}");
}

TEST(RedisKeys, AreReadAsTheyAreWritten) {
  for (const bool is_held : {false, true}) {
    const auto its = parse_key(is_held ? held_key(id) : redis_key(id));
    ASSERT_TRUE(its.has_value());
    EXPECT_EQ(its->id, id);
    EXPECT_EQ(its->is_held, is_held);
  }
  for (const char* other :
       {"", "tracker:store", "tracker:{}", "tracker:{abcd000000000000000000000000000}",
        "tracker:{ABCD0000000000000000000000000000}", "tracker:{abcd0000000000000000000000000000}x",
        "tracker:{abcd0000000000000000000000000000", "tracker:held:{1}", "tracker:mark:{1}",
        "xtracker:{abcd0000000000000000000000000000}", "tracker:{abcd000000000000000000000000000g}"}) {
    EXPECT_FALSE(parse_key(other).has_value()) << other;
  }
}

TEST(RedisKeys, EachSlotHasAMarkInItself) {
  std::set<std::string> keys;
  for (std::size_t slot = 0; slot < domain::slots; ++slot) {
    const auto& key = mark_key(static_cast<domain::Slot>(slot));
    const auto tag = key.substr(key.find('{') + 1, key.size() - key.find('{') - 2);
    EXPECT_EQ(key, "tracker:mark:{" + tag + "}");
    EXPECT_EQ(domain::slot_of_hash_tag(tag), slot);
    keys.insert(key);
  }
  EXPECT_EQ(keys.size(), domain::slots);
  EXPECT_EQ(mark_key(domain::slot_of_hash_tag("0")), "tracker:mark:{0}");
}

}  // namespace
}  // namespace tracker::store::redis
