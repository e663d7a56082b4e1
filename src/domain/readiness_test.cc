#include "domain/readiness.h"

#include <gtest/gtest.h>

namespace tracker::domain {

constexpr Readiness::Time start{};
constexpr auto later = start + std::chrono::seconds(1);

TEST(ReadinessTest, SaysWhyNotAndSinceWhen) {
  const auto readiness = Readiness::not_ready("the disk is full", later);
  EXPECT_FALSE(readiness.is_ready());
  EXPECT_EQ(readiness.why_not(), "the disk is full");
  EXPECT_EQ(readiness.since(), later);
  EXPECT_TRUE(Readiness::ready(start).is_ready());
}

TEST(ReadinessTest, TheTimeAloneIsNoChange) {
  EXPECT_EQ(Readiness::ready(start), Readiness::ready(later));
  EXPECT_EQ(Readiness::not_ready("full", start), Readiness::not_ready("full", later));
  EXPECT_NE(Readiness::not_ready("full", start), Readiness::not_ready("away", start));
  EXPECT_NE(Readiness::not_ready("", start), Readiness::ready(start));
  EXPECT_NE(Readiness::ready(start, {"one table is damaged"}), Readiness::ready(start));
}

}  // namespace tracker::domain
