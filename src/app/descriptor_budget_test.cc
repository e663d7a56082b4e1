#include "app/descriptor_budget.h"

#include <gtest/gtest.h>

namespace tracker::app {

TEST(DescriptorBudget, WhatFitsStaysAsItIs) {
  ConnectionBudget budget{.http = 10'000, .http_refused = 1'024, .counter = 1'000, .counter_envoys = 1'024};
  EXPECT_EQ(fit_connections(budget, 20'000, 500), std::nullopt);
  EXPECT_EQ(budget.http, 10'000U);
  EXPECT_EQ(budget.counter, 1'000U);
}

TEST(DescriptorBudget, EveryListenerIsShrunkAndWhatIsReservedStays) {
  ConnectionBudget budget{.http = 10'000, .http_refused = 1'024, .counter = 1'000, .counter_envoys = 1'024};
  const auto warning = fit_connections(budget, 2'000, 600);
  ASSERT_TRUE(warning);
  EXPECT_LE(budget.http + budget.http_refused + budget.counter + budget.counter / 4 + budget.counter_envoys,
            1'400U);
  EXPECT_GT(budget.http, 700U);
  EXPECT_GT(budget.counter, 90U);
  EXPECT_GT(budget.counter_envoys, 90U);
  EXPECT_EQ(warning->substr(0, warning->find(':')),
            "--connections-max 10000 and --counter-connections-max 1000 need 13898 open files, but this "
            "process may "
            "have 2000");
  EXPECT_NE(warning->find("raise the limit (ulimit -n), or lower the settings"), std::string::npos);
}

TEST(DescriptorBudget, OneDoorAlone) {
  ConnectionBudget http{.http = 10'000, .http_refused = 1'024};
  EXPECT_EQ(fit_connections(http, 1'200, 840),
            "--connections-max 10000 needs 11864 open files, but this process may have 1200: it takes 270 "
            "connections; raise the limit (ulimit -n), or lower the setting");
  EXPECT_EQ(http.counter + http.counter_envoys, 0U);
  ConnectionBudget counter{.counter = 1'000, .counter_envoys = 1'024};
  EXPECT_EQ(
      fit_connections(counter, 1'024, 264),
      "--counter-connections-max 1000 needs 2538 open files, but this process may have 1024: it takes 334 "
      "connections, and 342 of envoys; raise the limit (ulimit -n), or lower the setting");
  EXPECT_EQ(counter.http + counter.http_refused, 0U);
}

TEST(DescriptorBudget, NoWarningWhereEachSettingIsKept) {
  ConnectionBudget budget{.http = 100, .http_refused = 1'024};
  EXPECT_EQ(fit_connections(budget, 1'024, 272), std::nullopt);
  EXPECT_EQ(budget.http, 100U);
  EXPECT_EQ(budget.http_refused, 188U);
}

TEST(DescriptorBudget, HoweverFewThereAreEachHasSome) {
  ConnectionBudget budget{.http = 100, .http_refused = 10, .counter = 100, .counter_envoys = 100};
  EXPECT_TRUE(fit_connections(budget, 100, 600));
  EXPECT_GE(budget.http, 8U);
  EXPECT_EQ(budget.counter, 16U);
  EXPECT_EQ(budget.counter_envoys, 16U);
}

}  // namespace tracker::app
