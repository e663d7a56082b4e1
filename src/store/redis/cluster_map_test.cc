#include "store/redis/cluster_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace tracker::store::redis {
namespace {

using std::chrono_literals::operator""s;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr ClusterMap::TimePoint begin{};
const runtime::Address asked{"10.0.0.1", 7001};

std::string line(const std::string& id, const std::string& address, const std::string& flags, int epoch,
                 const std::string& slots) {
  return id + ' ' + address + ' ' + flags + " - 0 1700000000000 " + std::to_string(epoch) + " connected" +
         (slots.empty() ? "" : " " + slots) + '\n';
}

ClusterView view_of(const std::string& text) {
  auto view = ClusterView::parse(text, asked);
  EXPECT_TRUE(view.has_value()) << text;
  return view.value_or(ClusterView{});
}

TEST(ClusterViewTest, SaysWhoTheMastersAreAndWhereTheSlots) {
  const auto view = view_of(
      "a :7001@17001 myself,master - 0 0 1 connected 0-5460 16000 [93->-b]\r\n"
      "b 10.0.0.2:7002@17002,host-b,shard-id=x master - 0 1700000000000 2 connected 5461-10922\n"
      "c ::1:7003@17003 master,fail - 0 1700000000000 3 disconnected 10923-15999 16001-16383\n"
      "d 10.0.0.4:7004@17004 slave a 0 1700000000000 1 connected\n"
      "e 10.0.0.5:7005@17005 master - 0 1700000000000 0 connected\n"
      "f :0@0 master,noaddr - 0 1700000000000 4 disconnected 1\n"
      "g 10.0.0.7:7007@17007 slave,fail a 0 1700000000000 1 connected\n");
  EXPECT_EQ(view.myself, "a");
  ASSERT_EQ(view.masters.size(), 3U);
  const auto& [a, b, c] = std::tie(view.masters[0], view.masters[1], view.masters[2]);
  EXPECT_EQ(a.address, asked) << "it does not know its own host";
  EXPECT_THAT(a.slots, ElementsAre(Pair(0, 5460), Pair(16000, 16000)));
  EXPECT_EQ(b.id, "b");
  EXPECT_EQ(b.epoch, 2U);
  EXPECT_EQ(to_string(b.address), "10.0.0.2:7002");
  EXPECT_TRUE(c.is_failed);
  EXPECT_EQ(to_string(c.address), "[::1]:7003");
  ASSERT_EQ(view.others.size(), 2U);
  EXPECT_EQ(to_string(view.others[0]), "10.0.0.4:7004");
  EXPECT_EQ(to_string(view.others[1]), "10.0.0.5:7005");
}

TEST(ClusterViewTest, WhatIsNoViewIsNone) {
  for (const char* text : {"", "\n", "x", "a 10.0.0.1:1@2 master - 0 0 1 connected 0-5\n",
                           "a 10.0.0.1:1@2 myself,master - 0 0 x connected 0-5\n", "a b myself - 0 0 1\n"}) {
    EXPECT_FALSE(ClusterView::parse(text, asked).has_value()) << text;
  }
}

class ClusterMapTest : public testing::Test {
 protected:
  std::string owner(domain::Slot slot) const {
    const auto index = map_.owner(slot);
    return index == ClusterMap::nobody ? "" : map_.nodes()[index].id;
  }
  bool take(const std::string& text, ClusterMap::TimePoint at = begin + 1s) {
    return map_.take(view_of(text), at);
  }
  ClusterMap::TimePoint confirmed(std::string_view id) const {
    for (const auto& node : map_.nodes()) {
      if (node.id == id) return node.confirmed;
    }
    return ClusterMap::TimePoint::max();
  }

  const std::string all_ =
      line("a", "h:1@11", "myself,master", 1, "0-99") + line("b", "h:2@12", "master", 2, "100-16383");
  ClusterMap map_;
};

TEST_F(ClusterMapTest, TheHighestEpochOfAllViewsWins) {
  EXPECT_TRUE(map_.is_empty());
  EXPECT_EQ(owner(0), "");
  EXPECT_TRUE(take(all_));
  EXPECT_EQ(owner(0), "a");
  EXPECT_EQ(owner(16383), "b");
  // The replica c of a has been promoted. Then a comes back and still believes in itself.
  EXPECT_TRUE(
      take(line("b", "h:2@12", "myself,master", 2, "100-16383") + line("c", "h:3@13", "master", 3, "0-99")));
  EXPECT_EQ(owner(0), "c");
  EXPECT_TRUE(take(all_));
  EXPECT_EQ(owner(0), "c");
  EXPECT_EQ(map_.nodes()[0].slots, 0U);
  EXPECT_EQ(map_.nodes()[1].slots, 16284U);
  EXPECT_EQ(map_.nodes()[2].slots, 100U);
}

TEST_F(ClusterMapTest, ASlotThatWasMovedBelongsToTheNewOwnerAlone) {
  take(all_);
  take(line("a", "h:1@11", "myself,master", 1, "0-49") + line("b", "h:2@12", "master", 4, "50-16383"));
  EXPECT_EQ(owner(49), "a");
  EXPECT_EQ(owner(50), "b");
  take(line("a", "h:1@11", "myself,master", 5, "0-99") + line("b", "h:2@12", "master", 4, "100-16383"));
  EXPECT_EQ(owner(50), "a");
}

TEST_F(ClusterMapTest, ANodeIsConfirmedByOthers) {
  take(all_, begin + 1s);
  EXPECT_EQ(confirmed("a"), begin) << "it is its own witness";
  EXPECT_EQ(confirmed("b"), begin + 1s);
  take(line("a", "h:1@11", "master", 1, "0-99") + line("b", "h:2@12", "myself,master", 2, "100-16383"),
       begin + 2s);
  EXPECT_EQ(confirmed("a"), begin + 2s);
  take(line("a", "h:1@11", "master,fail", 1, "0-99") + line("b", "h:2@12", "myself,master", 2, "100-16383"),
       begin + 3s);
  EXPECT_EQ(confirmed("a"), begin + 2s);
}

// It may be cut off together with the master that it follows.
TEST_F(ClusterMapTest, AReplicaConfirmsNobody) {
  take(line("a", "h:1@11", "master", 1, "0-99") + line("b", "h:2@12", "master", 2, "100-16383") +
       line("c", "h:3@13", "myself,slave", 1, ""));
  EXPECT_EQ(owner(0), "a");
  EXPECT_EQ(confirmed("a"), begin);
  EXPECT_EQ(confirmed("b"), begin);
}

TEST_F(ClusterMapTest, TheOnlyMasterConfirmsItself) {
  take(line("a", "h:1@11", "myself,master", 1, "0-16383"), begin + 1s);
  EXPECT_EQ(confirmed("a"), begin + 1s);
}

TEST_F(ClusterMapTest, AnotherClusterIsNotTaken) {
  take(all_);
  EXPECT_FALSE(take(line("x", "h:1@11", "myself,master", 9, "0-16383")));
  EXPECT_EQ(owner(0), "a");
  map_.clear();
  EXPECT_TRUE(take(line("x", "h:1@11", "myself,master", 1, "0-16383")));
  EXPECT_EQ(owner(0), "x");
}

TEST_F(ClusterMapTest, ANodeIsFoundByItsAddressWhichMayChange) {
  take(all_);
  EXPECT_EQ(map_.find({"h", 2}), 1);
  EXPECT_EQ(map_.find({"h", 3}), std::nullopt);
  take(line("a", "h:1@11", "myself,master", 1, "0-99") + line("b", "h:3@13", "master", 2, "100-16383"));
  EXPECT_EQ(map_.find({"h", 3}), 1);
  EXPECT_EQ(map_.find({"h", 2}), std::nullopt);
}

}  // namespace
}  // namespace tracker::store::redis
