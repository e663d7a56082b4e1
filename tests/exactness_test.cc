// The judge of exactness judged: what the rules forbid, planted, and what they allow.

#include "support/exactness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

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
  // Also past others in between, and whatever the order of the observations.
  EXPECT_THAT(
      exactness_violations({counted(3, 10, 11), counted(1, 0, 20), counted(4, 1, 2), counted(2, 0, 20)}, {4}),
      ElementsAre(HasSubstr("3 was counted after 4 had been answered")));
}

}  // namespace
}  // namespace tracker::tests
