#include "rpc/flight.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace tracker::rpc {

struct FlightTest : testing::Test {
  std::shared_ptr<Flight> flight = std::make_shared<Flight>(1'000);
};

TEST_F(FlightTest, ALoneCallerMayHaveAll) {
  Flight::Caller lone(flight);
  EXPECT_EQ(lone.enter(1'200), 1'000U);
  EXPECT_EQ(lone.enter(1), 0U);
  EXPECT_EQ(flight->refused(), 2U);
  lone.leave(300);
  EXPECT_EQ(lone.enter(301), 300U);
  EXPECT_EQ(flight->hits(), 1'000U);
}

TEST_F(FlightTest, WhoTakesAllThatItCanGetLeavesEachOtherItsShare) {
  Flight::Caller greedy(flight);
  std::vector<std::unique_ptr<Flight::Caller>> others;
  for (int i = 0; i < 4; ++i) others.push_back(std::make_unique<Flight::Caller>(flight));
  EXPECT_EQ(greedy.enter(1'000), 600U) << "what is common, and its share";
  for (int round = 0; round < 3; ++round) {
    for (const auto& other : others) EXPECT_EQ(other->enter(500), 100U);
    EXPECT_EQ(greedy.enter(1), 0U);
    for (const auto& other : others) other->leave(100);
  }
  greedy.leave(250);
  EXPECT_EQ(others.front()->enter(1'000), 350U) << "what is common is anybody's";
}

// Shares shrink, and what is in flight already is not taken back.
TEST_F(FlightTest, ThereAreNeverMoreThanThereMayBe) {
  Flight::Caller first(flight);
  EXPECT_EQ(first.enter(1'000), 1'000U);
  Flight::Caller second(flight);
  EXPECT_EQ(second.enter(10), 0U);
  first.leave(300);
  EXPECT_EQ(first.enter(300), 50U) << "all but the other's share";
  EXPECT_EQ(second.enter(300), 250U);
  EXPECT_EQ(flight->hits(), 1'000U);
}

TEST_F(FlightTest, WhoGoesLeavesItsShare) {
  Flight::Caller stays(flight);
  {
    Flight::Caller goes(flight);
    EXPECT_EQ(stays.enter(1'000), 750U);
  }
  EXPECT_EQ(stays.enter(1'000), 250U);
}

TEST_F(FlightTest, FewPlacesAreCommon) {
  const auto one = std::make_shared<Flight>(1);
  Flight::Caller caller(one);
  Flight::Caller other(one);
  EXPECT_EQ(caller.enter(2), 1U);
  EXPECT_EQ(other.enter(1), 0U);
}

TEST_F(FlightTest, NothingEntersADrain) {
  Flight::Caller caller(flight);
  EXPECT_EQ(caller.enter(5), 5U);
  flight->drain();
  EXPECT_EQ(caller.enter(1), 0U);
  caller.leave(5);
  EXPECT_EQ(flight->hits(), 0U);
}

}  // namespace tracker::rpc
