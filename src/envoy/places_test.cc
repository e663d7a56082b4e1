#include "envoy/places.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace tracker::envoy {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

domain::IpAddress address_of(const std::string& text) {
  return domain::parse_ip_address(text).value();
}

TEST(AddressCounts, AnIpv6AddressCountsByItsFirst64Bits) {
  const std::vector<std::vector<std::string>> clients{{"192.0.2.1", "::ffff:192.0.2.1"},
                                                      {"192.0.2.2", "::ffff:192.0.2.2"},
                                                      {"2001:db8:0:1::1", "2001:db8:0:1:ffff::"},
                                                      {"2001:db8:0:2::1"},
                                                      {"::1"},
                                                      {"c000:201::"}};
  for (std::size_t i = 0; i < clients.size(); ++i) {
    for (std::size_t j = 0; j < clients.size(); ++j) {
      for (const auto& one : clients[i]) {
        for (const auto& other : clients[j]) {
          const auto counts = std::make_shared<AddressCounts>();
          const auto place = counts->enter(address_of(one), 1);
          EXPECT_EQ(counts->enter(address_of(other), 1).has_value(), i != j) << one << ' ' << other;
        }
      }
    }
  }
}

TEST(AddressCounts, APlaceIsFreeAgainAtItsEnd) {
  const auto counts = std::make_shared<AddressCounts>();
  const auto one = address_of("192.0.2.1");
  const auto other = address_of("192.0.2.2");
  auto first = counts->enter(one, 2);
  const auto second = counts->enter(one, 2);
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(counts->enter(one, 2));
  EXPECT_TRUE(counts->enter(other, 2));
  {
    const AddressCounts::Place moved = std::move(*first);
    first.reset();
    EXPECT_FALSE(counts->enter(one, 2));
  }
  EXPECT_TRUE(counts->enter(one, 2));
}

class ClaimTest : public testing::Test {
 protected:
  std::optional<Claim> best(runtime::Clock::duration idle, runtime::Clock::duration head,
                            const std::optional<Claim>& after = std::nullopt) {
    waiting_.idle = idle == none ? LongestWaiting::none : now_ - idle;
    waiting_.head = head == none ? LongestWaiting::none : now_ - head;
    return best_claim(waiting_, now_, 20ms, after);
  }

  static constexpr runtime::Clock::duration none = -1s;
  const runtime::Clock::time_point now_ = runtime::Clock::now();
  LongestWaiting waiting_;
};

TEST_F(ClaimTest, TheLongIdleGoFirstAndThenLateHeadsAndThenOtherIdleOnes) {
  EXPECT_EQ(best(2s, 3s), (Claim{Claim::Kind::long_idle, now_ - 2s}));
  EXPECT_EQ(best(1s, 1s), (Claim{Claim::Kind::long_idle, now_ - 1s}));
  EXPECT_EQ(best(999ms, 1s), (Claim{Claim::Kind::late_head, now_ - 1s}));
  EXPECT_EQ(best(999ms, 999ms), (Claim{Claim::Kind::idle, now_ - 999ms}));
  EXPECT_EQ(best(20ms, none), (Claim{Claim::Kind::idle, now_ - 20ms}));
  EXPECT_EQ(best(none, 2s), (Claim{Claim::Kind::late_head, now_ - 2s}));
}

TEST_F(ClaimTest, WhatIsActiveStays) {
  EXPECT_EQ(best(19ms, 999ms), std::nullopt);
  EXPECT_EQ(best(0ms, 0ms), std::nullopt);
  EXPECT_EQ(best(none, none), std::nullopt);
}

TEST_F(ClaimTest, NoneIsOfferedTwice) {
  const auto first = best(2s, 2s);
  const auto second = best(2s, 2s, first);
  EXPECT_EQ(second, (Claim{Claim::Kind::late_head, now_ - 2s}));
  EXPECT_EQ(best(2s, 2s, second), std::nullopt);
}

}  // namespace tracker::envoy
