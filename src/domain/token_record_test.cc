#include "domain/token_record.h"

#include <gtest/gtest.h>

#include <limits>

namespace tracker::domain {

TEST(TokenRecordTest, FactsAreReadAsTheyWereWritten) {
  const TokenRecord record{.minted_s = 5,
                           .expires_s = 1'764'336'000,
                           .idle_s = 60,
                           .used_s = 7,
                           .use_by_s = 9,
                           .revoked_s = 11,
                           .paths = TokenRecord::Paths{3, std::numeric_limits<std::uint64_t>::max()},
                           .label = "Größe 1 = 100%\n",
                           .others = "quota=5/s tier=gold"};
  EXPECT_EQ(decode_facts(5, encode_facts(record)), record);
  EXPECT_EQ(encode_facts({.minted_s = 5}), "");
  EXPECT_EQ(decode_facts(5, ""), TokenRecord{.minted_s = 5});
  EXPECT_EQ(encode_facts({.expires_s = 1, .paths = TokenRecord::Paths{}}), "expires=1 paths=0 bytes=0");
}

TEST(TokenRecordTest, WhatIsNoRecordIsRefused) {
  for (const auto* facts :
       {"v=2 expires=1", "expires", "=1", "expires=", "expires=-1", "expires=1x", "expires=1  idle=2",
        "idle=281474976710656", "label=%zz", "label=%", "bytes=18446744073709551616"}) {
    EXPECT_FALSE(decode_facts(0, facts)) << facts;
  }
}

TEST(TokenRecordTest, TheFirstEndCounts) {
  TokenRecord record{.minted_s = 100, .expires_s = 500, .use_by_s = 200, .paths = TokenRecord::Paths{}};
  EXPECT_EQ(end_of(record), 200U);
  record.paths->number = 1;
  EXPECT_EQ(end_of(record), 500U);
  EXPECT_EQ(end_of({.minted_s = 100, .use_by_s = 200}), 0U) << "perhaps it has counted";
  EXPECT_EQ(end_of({.minted_s = 100}), 0U);
  EXPECT_EQ(state_of(record, 499), TokenState::active);
  EXPECT_EQ(state_of(record, 500), TokenState::expired);
  EXPECT_EQ(state_of({.expires_s = 500, .revoked_s = 300}, 0), TokenState::revoked);
}

TEST(TokenRecordTest, IsKeptForAWhileAfterItsEnd) {
  const TokenRecord record{.expires_s = 500, .paths = TokenRecord::Paths{1, 2}};
  EXPECT_FALSE(is_outdated(record, 499, 0));
  EXPECT_TRUE(is_outdated(record, 500, 0));
  EXPECT_FALSE(is_outdated(record, 599, 100));
  EXPECT_TRUE(is_outdated(record, 600, 100));
  EXPECT_FALSE(is_outdated({}, TokenRecord::seconds_max, 0));
  const TokenRecord unused{.use_by_s = 500, .paths = TokenRecord::Paths{}};
  EXPECT_FALSE(is_outdated(unused, 499, 100));
  EXPECT_TRUE(is_outdated(unused, 500, 100));
}

// Its last use may be later than is noted by a step.
TEST(TokenRecordTest, AnIdleTokenNeverEndsEarly) {
  TokenRecord record{.minted_s = 1'000, .idle_s = 80};
  EXPECT_EQ(used_step(record), 10U);
  EXPECT_EQ(end_of(record), 1'090U);
  record.used_s = 1'050;
  EXPECT_EQ(end_of(record), 1'140U);
  EXPECT_EQ(used_step({.idle_s = 1}), 1U);
  EXPECT_EQ(used_step({.idle_s = 1'000'000}), 3'600U);
  EXPECT_EQ(used_step({}), 3'600U);
}

}  // namespace tracker::domain
