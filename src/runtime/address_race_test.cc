#include "runtime/address_race.h"

#include <gtest/gtest.h>

#include <string>

namespace tracker::runtime {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Addresses = std::vector<boost::asio::ip::address>;
constexpr AddressRace::TimePoint start(seconds(1'000));

Addresses addresses(const std::vector<std::string>& texts) {
  Addresses all;
  for (const auto& text : texts) all.push_back(boost::asio::ip::make_address(text));
  return all;
}

TEST(OrderOfTrial, TakesTheFamiliesInTurnBeginningWithTheFirst) {
  EXPECT_EQ(in_order_of_trial(addresses({"::1", "::2", "::3", "10.0.0.1", "10.0.0.2"})),
            addresses({"::1", "10.0.0.1", "::2", "10.0.0.2", "::3"}));
  EXPECT_EQ(in_order_of_trial(addresses({"10.0.0.1", "::1"})), addresses({"10.0.0.1", "::1"}));
  EXPECT_EQ(in_order_of_trial(addresses({"10.0.0.2", "10.0.0.1"})), addresses({"10.0.0.2", "10.0.0.1"}));
  EXPECT_EQ(in_order_of_trial({}), Addresses{});
}

TEST(OrderOfTrial, HasNoAddressTwice) {
  EXPECT_EQ(in_order_of_trial(addresses({"127.0.0.1", "::1", "127.0.0.1", "::1"})),
            addresses({"127.0.0.1", "::1"}));
}

TEST(AddressRace, BeginsTheNextAfterAQuarterOfASecond) {
  AddressRace race(3, seconds(2));
  EXPECT_EQ(race.begin_next(start), 0U);
  EXPECT_EQ(race.begin_next(start), std::nullopt);
  EXPECT_EQ(race.next_event(), start + milliseconds(250));
  EXPECT_EQ(race.begin_next(start + milliseconds(249)), std::nullopt);
  EXPECT_EQ(race.begin_next(start + milliseconds(250)), 1U);
  EXPECT_EQ(race.begin_next(start + milliseconds(499)), std::nullopt);
  EXPECT_EQ(race.begin_next(start + milliseconds(500)), 2U);
  EXPECT_EQ(race.begin_next(start + milliseconds(750)), std::nullopt);
}

TEST(AddressRace, BeginsTheNextAsSoonAsOneHasFailed) {
  AddressRace race(3, seconds(2));
  race.begin_next(start);
  EXPECT_TRUE(race.failed(0));
  EXPECT_EQ(race.begin_next(start), 1U);
  EXPECT_EQ(race.begin_next(start), std::nullopt);
}

TEST(AddressRace, GivesEachAddressATimeOfItsOwn) {
  AddressRace race(2, seconds(2));
  race.begin_next(start);
  race.begin_next(start + milliseconds(250));
  EXPECT_EQ(race.next_event(), start + seconds(2));
  EXPECT_EQ(race.take_late(start + milliseconds(1'999)), std::nullopt);
  EXPECT_EQ(race.take_late(start + seconds(2)), 0U);
  EXPECT_EQ(race.take_late(start + seconds(2)), std::nullopt);
  EXPECT_EQ(race.next_event(), start + milliseconds(2'250));
  EXPECT_FALSE(race.lost());
  EXPECT_EQ(race.take_late(start + milliseconds(2'250)), 1U);
  EXPECT_TRUE(race.lost());
}

TEST(AddressRace, IsLostWhenAllHaveFailed) {
  AddressRace race(2, seconds(2));
  race.begin_next(start);
  race.failed(0);
  EXPECT_FALSE(race.lost());
  race.begin_next(start);
  EXPECT_TRUE(race.failed(1));
  EXPECT_TRUE(race.lost());
  EXPECT_EQ(race.begin_next(start + seconds(9)), std::nullopt);
  EXPECT_FALSE(race.failed(1)) << "it had failed before";
}

}  // namespace tracker::runtime
