#include "runtime/observable.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

namespace tracker::runtime {

TEST(ObservableTest, TellsTheValueAtOnceAndThenEachChange) {
  Observable<int> number(1);
  std::vector<int> told;
  const auto subscription = number.subscribe([&](int value) { told.push_back(value); });
  EXPECT_EQ(told, (std::vector{1}));
  number.set(2);
  number.set(2);
  number.set(1);
  EXPECT_EQ(told, (std::vector{1, 2, 1}));
  EXPECT_EQ(number.value(), 1);
}

TEST(ObservableTest, TellsNothingAfterTheSubscriptionHasEnded) {
  Observable<int> number(1);
  std::vector<int> first;
  std::vector<int> second;
  std::optional<Subscription> ends(number.subscribe([&](int value) { first.push_back(value); }));
  const auto stays = number.subscribe([&](int value) { second.push_back(value); });
  ends.reset();
  number.set(2);
  EXPECT_EQ(first, (std::vector{1}));
  EXPECT_EQ(second, (std::vector{1, 2}));
}

TEST(ObservableTest, AMovedSubscriptionStaysUntilItsLastPlaceEnds) {
  Observable<int> number(1);
  int told = 0;
  {
    auto first = number.subscribe([&](int value) { told = value; });
    const Subscription second(std::move(first));
    number.set(2);
    EXPECT_EQ(told, 2);
  }
  number.set(3);
  EXPECT_EQ(told, 2);
}

// As where several parts together are ready.
TEST(ObservableTest, ASumOfOthersIsRightInTheEndWhicheverThreadChangesThem) {
  Observable<int> one(0);
  Observable<int> other(0);
  Observable<int> sum(0);
  const auto add = [&](int /*changed*/) { sum.update([&] { return one.value() + other.value(); }); };
  const auto of_one = one.subscribe(add);
  const auto of_other = other.subscribe(add);
  {
    const auto count = [](Observable<int>& number) {
      for (int value = 1; value <= 1000; ++value) number.set(value);
    };
    const std::jthread first(count, std::ref(one));
    const std::jthread second(count, std::ref(other));
  }
  EXPECT_EQ(sum.value(), 2000);
}

}  // namespace tracker::runtime
