#include "runtime/signal_policy.h"

#include <gtest/gtest.h>

namespace tracker::runtime {
namespace {

using namespace std::chrono_literals;
using Action = SignalPolicy::Action;
constexpr SignalPolicy::Clock::time_point start{};

TEST(SignalPolicyTest, BeforeItServesItEnds) {
  SignalPolicy policy;
  EXPECT_EQ(policy.take_end(start), Action::end);
  policy.set_serving(true);
  policy.set_serving(false);
  EXPECT_EQ(policy.take_end(start), Action::end);
}

TEST(SignalPolicyTest, TheFirstSignalDrains) {
  SignalPolicy policy;
  policy.set_serving(true);
  EXPECT_EQ(policy.take_end(start), Action::drain);
}

TEST(SignalPolicyTest, ASecondOneCutsOffAfterASecond) {
  SignalPolicy policy;
  policy.set_serving(true);
  policy.take_end(start);
  EXPECT_EQ(policy.take_end(start), Action::none);
  EXPECT_EQ(policy.take_end(start + 999ms), Action::none);
  EXPECT_EQ(policy.take_end(start + 1s), Action::cut_off);
}

// While the store is closed, for instance.
TEST(SignalPolicyTest, ItCutsOffEvenWhenTheServiceHasEnded) {
  SignalPolicy policy;
  policy.set_serving(true);
  policy.take_end(start);
  policy.set_serving(false);
  EXPECT_EQ(policy.take_end(start + 2s), Action::cut_off);
}

}  // namespace
}  // namespace tracker::runtime
