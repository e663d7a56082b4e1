#include "link/inbox.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

namespace tracker::link {
namespace {

using namespace std::chrono_literals;
using Items = std::vector<int>;

auto put(Inbox<Items>& inbox, int item) {
  return inbox.put([item](Items& items) { items.push_back(item); });
}

TEST(Inbox, ALoopIsWokenOnceUntilItHasTaken) {
  Inbox<Items> inbox;
  EXPECT_TRUE(put(inbox, 1));
  EXPECT_FALSE(put(inbox, 2));
  Items taken;
  inbox.take(taken);
  EXPECT_EQ(taken, (Items{1, 2}));
  taken.clear();
  EXPECT_TRUE(put(inbox, 3));
  inbox.take(taken);
  EXPECT_EQ(taken, (Items{3}));
}

TEST(Inbox, ATakenContainerIsUsedAgain) {
  Inbox<Items> inbox;
  Items taken;
  taken.reserve(100);
  const auto* memory = taken.data();
  inbox.take(taken);
  put(inbox, 1);
  taken = {};
  inbox.take(taken);
  EXPECT_EQ(taken.data(), memory);
}

TEST(Inbox, AThreadWaitsForAsMuchAsItWants) {
  Inbox<Items> inbox;
  Items taken;
  std::thread owner([&] {
    EXPECT_TRUE(inbox.wait_until(std::chrono::steady_clock::now() + 60s,
                                 [](const Items& items) { return items.size() >= 3; }));
    inbox.take(taken);
  });
  for (int i = 0; i < 3; ++i) put(inbox, i);
  owner.join();
  EXPECT_EQ(taken, (Items{0, 1, 2}));
}

TEST(Inbox, WhatIsThereAlreadyIsNotWaitedFor) {
  Inbox<Items> inbox;
  put(inbox, 1);
  EXPECT_TRUE(inbox.wait_until(std::chrono::steady_clock::time_point::max(),
                               [](const Items& items) { return !items.empty(); }));
}

TEST(Inbox, AThreadWaitsNoLongerThanItSays) {
  Inbox<Items> inbox;
  put(inbox, 1);
  EXPECT_FALSE(inbox.wait_until(std::chrono::steady_clock::now() + 1ms,
                                [](const Items& items) { return items.size() >= 2; }));
  Items taken;
  inbox.take(taken);
  EXPECT_EQ(taken, (Items{1}));
}

TEST(Inbox, ManyThreadsFillIt) {
  constexpr int threads = 4;
  constexpr int items_each = 1'000;
  Inbox<Items> inbox;
  std::vector<std::thread> givers;
  for (int giver = 0; giver < threads; ++giver) {
    givers.emplace_back([&] {
      for (int i = 0; i < items_each; ++i) put(inbox, i);
    });
  }
  long sum = 0;
  std::size_t seen = 0;
  Items taken;
  while (seen < threads * items_each) {
    ASSERT_TRUE(inbox.wait_until(std::chrono::steady_clock::now() + 60s,
                                 [](const Items& items) { return !items.empty(); }));
    taken.clear();
    inbox.take(taken);
    seen += taken.size();
    for (const int item : taken) sum += item;
  }
  for (auto& giver : givers) giver.join();
  EXPECT_EQ(sum, static_cast<long>(threads) * items_each * (items_each - 1) / 2);
}

}  // namespace
}  // namespace tracker::link
