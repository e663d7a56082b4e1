#include "domain/slot.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tracker::domain {
namespace {

TokenId id_of(std::uint8_t first, std::uint8_t others) {
  TokenId id{};
  id.bytes.fill(others);
  id.bytes[0] = first;
  return id;
}

// The answers of Redis 7.0 to `CLUSTER KEYSLOT tracker:{<id>}`. These never change, because counts lie where they say.
TEST(Slot, IsTheSlotOfRedisCluster) {
  EXPECT_EQ(slot_of(id_of(0, 0)), 15'376);
  EXPECT_EQ(slot_of(id_of(0xFF, 0xFF)), 14'242);
  EXPECT_EQ(slot_of(id_of(0x01, 0x23)), 14'936);
  EXPECT_EQ(slot_of(id_of(0xAB, 0xCD)), 6'372);
  EXPECT_EQ(slot_of(id_of(0x10, 0)), 9'558);
}

TEST(Slot, OfAHashTag) {
  EXPECT_EQ(slot_of_hash_tag("123456789"), 0x31C3);
  const auto id = token_id(random_token());
  EXPECT_EQ(slot_of_hash_tag(to_string(id)), slot_of(id));
}

TEST(Slot, TokensAreSpreadEvenly) {
  constexpr std::size_t parts = 16;
  std::vector<int> tokens(parts);
  for (int i = 0; i < 16'000; ++i) ++tokens[slot_of(token_id(random_token())) * parts / slots];
  for (const int n : tokens) EXPECT_NEAR(n, 1'000, 200);
}

}  // namespace
}  // namespace tracker::domain
