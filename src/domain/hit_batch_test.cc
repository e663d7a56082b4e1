#include "domain/hit_batch.h"

#include <gtest/gtest.h>

namespace tracker::domain {

TEST(HitBatch, KeepsHitsInOrderAsColumns) {
  HitBatch batch;
  const TokenId first{{1}};
  const TokenId second{{2}};
  batch.push(first, "/a");
  batch.push(second, "/long/path");
  batch.push(first, "/");

  ASSERT_EQ(batch.size(), 3U);
  EXPECT_EQ(batch.id(0), first);
  EXPECT_EQ(batch.path(0), "/a");
  EXPECT_EQ(batch.id(1), second);
  EXPECT_EQ(batch.path(1), "/long/path");
  EXPECT_EQ(batch.path(2), "/");
  EXPECT_EQ(batch.bytes(), 3 * 20 + 13U);
}

TEST(HitBatch, ClearedItIsEmptyAndKeepsItsMemory) {
  HitBatch batch;
  batch.push(TokenId{}, std::string(1000, 'a'));
  const auto* memory = batch.path(0).data();
  batch.clear();
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(batch.bytes(), 0U);
  batch.push(TokenId{}, "/a");
  EXPECT_EQ(batch.path(0).data(), memory);
}

}  // namespace tracker::domain
