// Tests the judge of exactness, with planted violations of the rules and with what the rules allow.

#include "support/exactness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/count_ledger.h"

namespace tracker::tests {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Observation::Time at(int time) {
  return Observation::Time(std::chrono::milliseconds(time));
}

Observation counted(std::int64_t count, int sent, int answered, std::size_t key = 0) {
  return {key, at(sent), at(answered), 200, count};
}

Observation other(int status, int sent = 0, int answered = 1, std::size_t key = 0) {
  return {key, at(sent), at(answered), status, 0};
}

TEST(ExactnessTest, AllowsWhatIsRight) {
  EXPECT_THAT(exactness_violations({}, {}), IsEmpty());
  EXPECT_THAT(exactness_violations({}, {0, 0}), IsEmpty());
  EXPECT_THAT(exactness_violations({counted(1, 0, 1), counted(2, 2, 3)}, {2}), IsEmpty());
  EXPECT_THAT(exactness_violations({counted(1, 0, 1, 0), counted(1, 2, 3, 1)}, {1, 1}), IsEmpty());
  EXPECT_THAT(exactness_violations({counted(2, 0, 9), counted(1, 1, 9)}, {2}), IsEmpty()) << "they overlap";
  EXPECT_THAT(exactness_violations({counted(2, 0, 5), counted(1, 5, 9)}, {2}), IsEmpty()) << "they touch";
}

TEST(ExactnessTest, AllowsThatPerhapsIsCountedOnceOrNotAtAll) {
  for (const int status : {504, 0}) {
    for (const std::int64_t stored : {1, 2, 3}) {
      EXPECT_THAT(exactness_violations({counted(1, 0, 1), other(status), other(status)}, {stored}),
                  IsEmpty());
    }
  }
  EXPECT_THAT(exactness_violations({counted(3, 5, 6), other(504), other(0)}, {3}), IsEmpty());
}

TEST(ExactnessTest, SeesACountThatIsGivenOutTwice) {
  EXPECT_THAT(exactness_violations({counted(1, 0, 5), counted(1, 0, 5), other(504)}, {2}),
              ElementsAre(HasSubstr("key 0: the count 1 was given out twice")));
  EXPECT_THAT(exactness_violations({counted(7, 0, 5, 1), counted(7, 1, 4, 1)}, {0, 9}),
              testing::Contains(HasSubstr("key 1: the count 7 was given out twice")));
}

TEST(ExactnessTest, SeesALostCount) {
  EXPECT_THAT(exactness_violations({counted(1, 0, 5), counted(2, 0, 5)}, {1}),
              testing::Contains(HasSubstr("counts were lost")));
  EXPECT_THAT(exactness_violations({counted(1, 0, 1)}, {0}),
              testing::Contains(HasSubstr("counts were lost")));
}

TEST(ExactnessTest, SeesAnAnsweredCountThatTheStoreDoesNotReach) {
  EXPECT_THAT(exactness_violations({counted(3, 0, 5), other(504), other(504)}, {2}),
              ElementsAre(HasSubstr("3 was answered, but 1 answered, 2 perhaps, 2 stored")));
}

TEST(ExactnessTest, SeesACountBelowOne) {
  EXPECT_THAT(exactness_violations({counted(0, 0, 5)}, {1}), testing::Contains(HasSubstr("below 1")));
}

TEST(ExactnessTest, SeesTooMuchCounted) {
  EXPECT_THAT(exactness_violations({counted(1, 0, 1), other(504)}, {3}),
              ElementsAre(HasSubstr("too much was counted: 1 answered, 1 perhaps, 3 stored")));
}

TEST(ExactnessTest, SeesThatARefusalWasCounted) {
  for (const int status : {400, 401, 405, 408, 503}) {
    EXPECT_THAT(exactness_violations({counted(1, 0, 1), other(status)}, {2}),
                ElementsAre(HasSubstr("too much was counted: 1 answered, 0 perhaps, 2 stored")))
        << status;
  }
}

TEST(ExactnessTest, OneKeysPerhapsExcusesNoOther) {
  EXPECT_THAT(exactness_violations({other(504, 0, 1, 0), counted(1, 0, 1, 1)}, {0, 2}),
              ElementsAre(HasSubstr("key 1: too much was counted")));
}

TEST(ExactnessTest, SeesALaterRequestWithASmallerCount) {
  EXPECT_THAT(exactness_violations({counted(2, 0, 1), counted(1, 2, 3)}, {2}),
              ElementsAre(HasSubstr("1 was counted after 2 had been answered")));
  // Also with others in between, and in any order of the observations.
  EXPECT_THAT(
      exactness_violations({counted(3, 10, 11), counted(1, 0, 20), counted(4, 1, 2), counted(2, 0, 20)}, {4}),
      ElementsAre(HasSubstr("3 was counted after 4 had been answered")));
}

TEST(ExactnessTest, SeesACountThatWasGivenOutBefore) {
  EXPECT_THAT(violations_of_key({counted(4, 0, 1)}, {3, 4}, "it"), IsEmpty());
  EXPECT_THAT(violations_of_key({counted(3, 0, 1)}, {3, 4}, "it"),
              ElementsAre("it: 3 was answered, but it had been counted before: 3 before, 1 answered, 0 "
                          "perhaps, 4 stored"));
}

TEST(ExactnessTest, SeesThatTheCountWentBackwards) {
  EXPECT_THAT(violations_of_key({}, {3, 3}, "it"), IsEmpty());
  EXPECT_THAT(violations_of_key({}, {3, 2}, "it"),
              ElementsAre("it: the count went backwards: 3 before, 0 answered, 0 perhaps, 2 stored"));
  EXPECT_THAT(violations_of_key({other(504)}, {3, 2}, "it"), ElementsAre(HasSubstr("went backwards")));
}

TEST(ExactnessTest, SeesALossBehindWhatWasCountedBefore) {
  EXPECT_THAT(violations_of_key({counted(4, 0, 1), counted(5, 0, 1), other(0), other(0)}, {3, 4}, "it"),
              testing::Contains(HasSubstr("counts were lost")));
}

// The sum may be right while the numbers are wrong: a request sent after 3 was answered cannot have been 1.
TEST(ExactnessTest, SeesAMissingNumberThatNothingAccountsFor) {
  EXPECT_THAT(violations_of_key({counted(2, 0, 5), other(504, 6, 7)}, {0, 2}, "it"),
              ElementsAre("it: the counts up to 1 lack 1, but only 0 requests of unknown fate can have been "
                          "those"));
  EXPECT_THAT(violations_of_key({counted(2, 0, 5), other(504, 5, 7)}, {0, 2}, "it"), IsEmpty());
  EXPECT_THAT(violations_of_key({counted(3, 0, 5), other(504, 4, 7), other(0, 6, 7)}, {0, 3}, "it"),
              ElementsAre(HasSubstr("it: the counts up to 2 lack 2, but only 1 requests")));
  EXPECT_THAT(
      violations_of_key({counted(5, 0, 5), counted(7, 0, 9), other(0, 6, 7), other(0, 1, 7)}, {3, 7}, "it"),
      IsEmpty());
  EXPECT_THAT(
      violations_of_key({counted(5, 0, 5), counted(7, 0, 5), other(0, 6, 7), other(0, 1, 7)}, {3, 7}, "it"),
      ElementsAre(HasSubstr("it: the counts up to 6 lack 2")));
}

TEST(ExactnessTest, SeesALaterRequestWithASmallerCountBehindWhatWasCountedBefore) {
  EXPECT_THAT(violations_of_key({counted(9, 0, 1), counted(8, 2, 3)}, {7, 9}, "it"),
              ElementsAre("it: 8 was counted after 9 had been answered"));
}

class CountLedgerTest : public testing::Test {
 protected:
  CountLedger ledger_{[](std::size_t key) { return "k" + std::to_string(key); }};
};

TEST_F(CountLedgerTest, CarriesCountsFromRoundToRound) {
  EXPECT_THAT(ledger_.judge({counted(1, 0, 1, 5), counted(1, 0, 1, 2)}, {{2, 2}, {5, 2}}), IsEmpty());
  EXPECT_EQ(ledger_.count(5), 2);
  EXPECT_EQ(ledger_.count(3), 0);
  EXPECT_EQ(ledger_.count(99), 0);
  EXPECT_THAT(ledger_.judge({counted(3, 0, 1, 5), other(0, 0, 1, 5)}, {{5, 5}, {2, 3}, {7, 1}}), IsEmpty());
  EXPECT_EQ(ledger_.count(5), 5);
  // The request that broke in the round before is settled. It excuses nothing any more.
  EXPECT_THAT(ledger_.judge({}, {{5, 7}}), ElementsAre(HasSubstr("k5: too much was counted")));
}

TEST_F(CountLedgerTest, SeesThatAColdKeyLostItsCount) {
  EXPECT_THAT(ledger_.judge({counted(1, 0, 1, 1), counted(2, 0, 1, 1)}, {{1, 3}}), IsEmpty());
  EXPECT_THAT(ledger_.judge({}, {{1, 3}}), ElementsAre(HasSubstr("k1: the count went backwards: 3 before")));
}

TEST_F(CountLedgerTest, SeesACountThatRepeatsOneOfTheRoundBefore) {
  EXPECT_THAT(ledger_.judge({counted(1, 0, 1, 1)}, {{1, 2}}), IsEmpty());
  EXPECT_THAT(ledger_.judge({counted(2, 0, 1, 1), other(0, 0, 1, 1)}, {{1, 4}}),
              ElementsAre(HasSubstr("k1: 2 was answered, but it had been counted before")));
}

TEST_F(CountLedgerTest, KeysAreJudgedApart) {
  EXPECT_THAT(ledger_.judge({counted(1, 0, 1, 1), other(0, 0, 1, 2)}, {{1, 3}, {2, 1}}),
              ElementsAre(HasSubstr("k1: too much was counted")));
}

TEST_F(CountLedgerTest, SeesAKeyThatWasNotRead) {
  EXPECT_THAT(
      ledger_.judge({counted(1, 0, 1, 1), counted(1, 0, 1, 2), counted(1, 0, 1, 3)}, {{2, 2}}),
      ElementsAre("k1: it was asked for and cannot be read", "k3: it was asked for and cannot be read"));
}

}  // namespace
}  // namespace tracker::tests
