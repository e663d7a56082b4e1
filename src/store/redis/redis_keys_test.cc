#include "store/redis/redis_keys.h"

#include <gtest/gtest.h>

#include <set>

namespace tracker::store::redis {
namespace {

const domain::TokenId id{{0xAB, 0xCD}};

TEST(RedisKeys, AllKeysOfATokenHaveItsHashTag) {
  EXPECT_EQ(redis_key(id), "tracker:{abcd0000000000000000000000000000}");
  EXPECT_EQ(held_key(id), "tracker:held:{abcd0000000000000000000000000000}");
  EXPECT_EQ(ended_key(id), "tracker:ended:{abcd0000000000000000000000000000}");
}

TEST(RedisKeys, AreReadAsTheyAreWritten) {
  for (const auto& key : {redis_key(id), held_key(id), ended_key(id)}) {
    const auto its = parse_key(key);
    ASSERT_TRUE(its.has_value());
    EXPECT_EQ(its->id, id);
    EXPECT_EQ(its->is_held, key == held_key(id));
    EXPECT_EQ(its->is_ended, key == ended_key(id));
  }
  for (const char* other :
       {"", "tracker:store", "tracker:{}", "tracker:{abcd000000000000000000000000000}",
        "tracker:{ABCD0000000000000000000000000000}", "tracker:{abcd0000000000000000000000000000}x",
        "tracker:{abcd0000000000000000000000000000", "tracker:held:{1}", "tracker:mark:{1}",
        "xtracker:{abcd0000000000000000000000000000}", "tracker:{abcd000000000000000000000000000g}"}) {
    EXPECT_FALSE(parse_key(other).has_value()) << other;
  }
}

TEST(Origin, TheFormsOfOlderVersionsAreRead) {
  const ExportId export_id{0xAB};
  for (const auto& [text, minted_s] :
       {std::pair("1700000000", 1'700'000'000), {"0", 0}, {"", 0}, {"true", 0}}) {
    const auto origin = Origin::parse(text, 3);
    ASSERT_TRUE(origin) << text;
    EXPECT_EQ(origin->record, domain::TokenRecord{.minted_s = static_cast<domain::Seconds>(minted_s)});
    EXPECT_FALSE(origin->export_id);
  }
  const auto imported = Origin::parse("1700000000 ab000000000000000000000000000000", 3);
  ASSERT_TRUE(imported);
  EXPECT_EQ(imported->export_id, export_id);
  EXPECT_EQ(imported->record, domain::TokenRecord{.minted_s = 1'700'000'000});
}

TEST(Origin, IsReadAsItIsWritten) {
  const domain::TokenRecord record{.minted_s = 5,
                                   .expires_s = 6,
                                   .idle_s = 7,
                                   .used_s = 8,
                                   .use_by_s = 9,
                                   .revoked_s = 10,
                                   .paths = domain::TokenRecord::Paths{2, 11},
                                   .label = "a b=c due=1",
                                   .others = "new=1 v=2"};
  for (const auto& export_id : {std::optional<ExportId>(), std::optional(ExportId{0xAB})}) {
    const Origin origin{.record = record, .export_id = export_id};
    const auto its = Origin::parse(origin.to_string(), 3);
    ASSERT_TRUE(its) << origin.to_string();
    EXPECT_EQ(its->record, record);
    EXPECT_EQ(its->export_id, export_id);
  }
  EXPECT_EQ((Origin{.record = {.minted_s = 5, .paths = domain::TokenRecord::Paths{}}}.to_string()),
            "5 bytes=0");
}

TEST(Origin, WhatTheScriptAddsIsNoFactAndALaterVersionIsNotRead) {
  const auto its = Origin::parse("5 due=9 bytes=4 full=1 x=1", 2);
  ASSERT_TRUE(its);
  EXPECT_EQ(its->record.others, "x=1");
  EXPECT_EQ(its->record.paths, (domain::TokenRecord::Paths{1, 4}));
  for (const char* text : {"5 v=2 bytes=4", "5 ab000000000000000000000000000000 v=2", "5 used=x"})
    EXPECT_FALSE(Origin::parse(text, 2)) << text;
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
