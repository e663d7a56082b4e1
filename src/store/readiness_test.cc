#include "store/readiness.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tracker::store {

using domain::Readiness;
constexpr Readiness::Time now{};

TEST(JointReadinessTest, IsReadyWhenAllPartsAreAndElseSaysWhyTheFirstIsNot) {
  ReadinessSource disk(Readiness::ready(now));
  ReadinessSource place(Readiness::not_ready("moved", now));
  const JointReadiness joint({&disk, &place});
  std::vector<std::string> told;
  const auto subscription = joint.readiness().subscribe([&](const Readiness& readiness) {
    told.push_back(readiness.is_ready() ? "ready" : readiness.why_not());
  });
  disk.set(Readiness::not_ready("full", now));
  place.set(Readiness::ready(now));
  disk.set(Readiness::ready(now));
  EXPECT_EQ(told, (std::vector<std::string>{"moved", "full", "ready"}));
}

TEST(JointReadinessTest, HasTheRemarksOfAllParts) {
  ReadinessSource one(Readiness::ready(now, {"table 1 is damaged"}));
  ReadinessSource other(Readiness::ready(now));
  const JointReadiness joint({&one, &other});
  other.set(Readiness::ready(now, {"table 2 is damaged"}));
  EXPECT_EQ(joint.readiness().value().remarks(),
            (std::vector<std::string>{"table 1 is damaged", "table 2 is damaged"}));
}

}  // namespace tracker::store
