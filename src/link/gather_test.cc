#include "link/gather.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <vector>

namespace tracker::link {
namespace {

using domain::Verdict;
using Verdicts = std::vector<std::optional<Verdict>>;

struct Recorder final : domain::TrackReply {
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    ++calls;
    for (const auto& [hit, verdict] : verdicts) {
      if (all.size() <= hit) all.resize(hit + 1);
      EXPECT_FALSE(all[hit].has_value()) << "a second verdict on hit " << hit;
      all[hit] = verdict;
    }
  }
  Verdicts all;
  int calls = 0;
};

class GatherTest : public testing::Test {
 protected:
  GatherTest() {
    for (int i = 0; i < 2; ++i) first_.push({}, "/a");
    for (int i = 0; i < 3; ++i) second_.push({}, "/bc");
    first_.set_deadline(at(20));
    second_.set_deadline(at(10));
    gather_.add(first_, to_first_);
    gather_.add(second_, to_second_);
  }

  static domain::Deadline at(int seconds) { return domain::Deadline(std::chrono::seconds(seconds)); }

  domain::HitBatch first_;
  domain::HitBatch second_;
  Recorder to_first_;
  Recorder to_second_;
  Gather gather_;
};

TEST_F(GatherTest, HoldsTheHitsOfAllItsBatches) {
  EXPECT_EQ(gather_.batches(), 2U);
  EXPECT_EQ(gather_.size(), 5U);
  EXPECT_EQ(gather_.bytes(), first_.bytes() + second_.bytes());
  EXPECT_EQ(&gather_.batch(1), &second_);
}

TEST_F(GatherTest, ABatchWithoutHitsIsNoPartOfIt) {
  const domain::HitBatch empty;
  Recorder reply;
  gather_.add(empty, reply);
  EXPECT_EQ(gather_.batches(), 2U);
}

TEST_F(GatherTest, VerdictsByNumberGoBackToTheirBatches) {
  const std::vector<domain::HitVerdict> verdicts{
      {4, Verdict::counted(9)}, {0, Verdict::counted(1)}, {2, Verdict::unknown_token()}};
  EXPECT_TRUE(gather_.settle(verdicts));
  EXPECT_EQ(to_first_.calls + to_second_.calls, 0) << "before they are delivered";
  EXPECT_FALSE(gather_.deliver());
  EXPECT_EQ(to_first_.all, (Verdicts{Verdict::counted(1)}));
  EXPECT_EQ(to_second_.all, (Verdicts{Verdict::unknown_token(), std::nullopt, Verdict::counted(9)}));
  const std::vector<domain::HitVerdict> others{{1, Verdict::counted(2)}, {3, Verdict::not_counted()}};
  EXPECT_TRUE(gather_.settle(others));
  EXPECT_TRUE(gather_.deliver());
  EXPECT_EQ(to_first_.all, (Verdicts{Verdict::counted(1), Verdict::counted(2)}));
  EXPECT_EQ(to_second_.all,
            (Verdicts{Verdict::unknown_token(), Verdict::not_counted(), Verdict::counted(9)}));
}

TEST_F(GatherTest, VerdictsThatNameAHitTwiceSettleNothing) {
  const std::vector<domain::HitVerdict> one{{1, Verdict::counted(1)}};
  const std::vector<domain::HitVerdict> again{{0, Verdict::counted(1)}, {1, Verdict::counted(2)}};
  const std::vector<domain::HitVerdict> twice{{3, Verdict::counted(1)}, {3, Verdict::counted(2)}};
  EXPECT_TRUE(gather_.settle(one));
  EXPECT_FALSE(gather_.settle(again));
  EXPECT_FALSE(gather_.settle(twice));
  gather_.settle_rest(Verdict::perhaps_counted());
  EXPECT_TRUE(gather_.deliver());
  EXPECT_EQ(to_first_.all, (Verdicts{Verdict::perhaps_counted(), Verdict::counted(1)}));
  EXPECT_EQ(to_second_.all,
            (Verdicts{Verdict::perhaps_counted(), Verdict::perhaps_counted(), Verdict::perhaps_counted()}));
}

TEST_F(GatherTest, ASecondVerdictOnAHitIsDropped) {
  gather_.settle(1, 2, Verdict::counted(7));
  gather_.settle(1, 2, Verdict::perhaps_counted());
  gather_.deliver();
  gather_.settle(1, 2, Verdict::perhaps_counted());
  gather_.deliver();
  EXPECT_EQ(to_second_.all, (Verdicts{std::nullopt, std::nullopt, Verdict::counted(7)}));
  EXPECT_EQ(to_second_.calls, 1);
}

TEST_F(GatherTest, ItsDeadlineIsTheEarliestOfWhatIsNotDelivered) {
  EXPECT_EQ(gather_.deadline(), at(10));
  for (std::uint32_t hit = 0; hit < 3; ++hit) gather_.settle(1, hit, Verdict::counted(1));
  gather_.deliver();
  EXPECT_EQ(gather_.deadline(), at(20));
  gather_.settle_rest(Verdict::counted(1));
  gather_.deliver();
  EXPECT_EQ(gather_.deadline(), domain::Deadline::max());
}

TEST_F(GatherTest, IsUsedAgain) {
  gather_.settle(0, 0, Verdict::counted(1));
  gather_.clear();
  EXPECT_EQ(gather_.batches(), 0U);
  EXPECT_TRUE(gather_.deliver());
  gather_.add(second_, to_second_);
  EXPECT_EQ(gather_.size(), 3U);
  gather_.settle_rest(Verdict::counted(1));
  EXPECT_TRUE(gather_.deliver());
  EXPECT_EQ(to_first_.calls, 0);
  EXPECT_EQ(to_second_.all.size(), 3U);
}

}  // namespace
}  // namespace tracker::link
