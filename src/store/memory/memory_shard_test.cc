#include "store/memory/memory_shard.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <string>

namespace tracker::store::memory {

namespace {

constexpr domain::Seconds now_s = 1'700'000'000;
constexpr int paths = 200;

domain::TokenId id_of(std::uint8_t number) {
  domain::TokenId id{};
  id.bytes.fill(number);
  return id;
}

class MemoryShardTest : public testing::Test {
 protected:
  static std::string path(int number) { return "/" + std::string(100, 'p') + std::to_string(number); }

  void add(const domain::TokenId& id) {
    EXPECT_EQ(shard_.add_token(id, {.minted_s = now_s}, marks_), MemoryShard::Added::added);
    hit_all(id, 1);
  }
  void hit_all(const domain::TokenId& id, std::int64_t expected) {
    for (int i = 0; i < paths; ++i)
      EXPECT_EQ(shard_.count(id, path(i), marks_, {}, now_s), domain::Verdict::counted(expected));
  }
  void remove(const domain::TokenId& id) {
    EXPECT_TRUE(shard_.change(id, {.revokes = true}, marks_, now_s));
    EXPECT_EQ(shard_.purge(domain::SlotSet{}.set(), id, marks_, now_s, 0), 1U);
  }

  MemoryShard shard_;
  Marks marks_;
};

TEST_F(MemoryShardTest, RemovedTokensLeaveNoMemoryBehind) {
  add(id_of(1));
  const auto rounds = [&](int number) {
    for (int i = 0; i < number; ++i) {
      add(id_of(2));
      remove(id_of(2));
    }
  };
  rounds(10);
  const auto before = ::mallinfo2().uordblks;
  rounds(100);
  EXPECT_LT(::mallinfo2().uordblks, before + 10 * paths * path(0).size()) << "100 times as much was removed";
  hit_all(id_of(1), 2);
}

TEST_F(MemoryShardTest, AMomentIsReadWhileOthersAreRemoved) {
  add(id_of(1));
  add(id_of(2));
  shard_.keep_moment();
  hit_all(id_of(2), 2);
  for (int i = 0; i < 10; ++i) {
    add(id_of(3));
    remove(id_of(3));
  }
  hit_all(id_of(1), 2);
  const auto tokens = shard_.read(domain::SlotSet{}.set(), marks_);
  ASSERT_EQ(tokens.size(), 2U);
  for (const auto& token : tokens) {
    ASSERT_EQ(token.counts.size(), static_cast<std::size_t>(paths));
    for (const auto& [its_path, count] : token.counts) EXPECT_EQ(count, 1) << its_path;
  }
  EXPECT_EQ(tokens[0].counts.back().path, path(99));
}

}  // namespace

}  // namespace tracker::store::memory
