#include "rpc/envoy_lists.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tracker::rpc {

using counter::CounterList;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

counter::CounterListPtr list_of(const std::string& text, std::uint64_t version) {
  return std::make_shared<const CounterList>(CounterList::parse(text, version));
}

class EnvoyListsTest : public testing::Test {
 protected:
  std::vector<std::string> remarks() const { return lists_->remarks().value().remarks(); }

  const counter::CounterListPtr ab_ = list_of("a=h:1,b=h:2", 1);
  const counter::CounterListPtr abc_ = list_of("a=h:1,b=h:2,c=h:3", 2);
  const std::shared_ptr<EnvoyLists> lists_ = std::make_shared<EnvoyLists>();
};

TEST_F(EnvoyListsTest, AListThatDiffersIsRemarkedAsLongAsAnEnvoyHasIt) {
  lists_->set_own(abc_);
  std::optional<runtime::Subscription> first(lists_->enter(*ab_));
  EXPECT_THAT(remarks(), ElementsAre(AllOf(HasSubstr("an envoy has another list, " + ab_->described()),
                                           HasSubstr("than this counter, " + abc_->described()))));
  EXPECT_TRUE(lists_->remarks().value().is_ready());
  std::optional<runtime::Subscription> second(lists_->enter(*ab_));
  EXPECT_EQ(remarks().size(), 1U);
  first.reset();
  EXPECT_EQ(remarks().size(), 1U);
  second.reset();
  EXPECT_THAT(remarks(), IsEmpty());
}

TEST_F(EnvoyListsTest, ListsWithTheSameOwnersDoNotDiffer) {
  lists_->set_own(ab_);
  const auto same = lists_->enter(*list_of("b=other:2,a=h:1", 7));
  EXPECT_THAT(remarks(), IsEmpty());
}

TEST_F(EnvoyListsTest, AreComparedAgainWhenTheCounterAdoptsAList) {
  const auto envoy = lists_->enter(*ab_);
  EXPECT_THAT(remarks(), IsEmpty()) << "the counter has no list yet";
  lists_->set_own(abc_);
  EXPECT_EQ(remarks().size(), 1U);
  lists_->set_own(list_of("a=h:1,b=h:2,c=h:3,leaving", 3));
  EXPECT_THAT(remarks(), IsEmpty());
  lists_->set_own(abc_);
  EXPECT_EQ(remarks().size(), 1U);
  lists_->set_own(nullptr);
  EXPECT_THAT(remarks(), IsEmpty());
}

TEST_F(EnvoyListsTest, ManyListsAreFewRemarks) {
  lists_->set_own(abc_);
  std::vector<runtime::Subscription> envoys;
  for (int i = 0; i < 7; ++i)
    envoys.push_back(lists_->enter(*list_of("a=h:1,n" + std::to_string(i) + "=h:2", 1)));
  ASSERT_EQ(remarks().size(), 5U);
  EXPECT_THAT(remarks().back(), HasSubstr("3 further lists"));
  envoys.clear();
  EXPECT_THAT(remarks(), IsEmpty());
}

TEST_F(EnvoyListsTest, ThreadsComeAndGo) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int round = 0; round < 500; ++round) {
        const auto envoy = lists_->enter(*ab_);
        if (round % 50 == 0) lists_->set_own(round % 100 == 0 ? abc_ : ab_);
      }
    });
  }
  const auto stays = lists_->enter(*ab_);
  for (auto& thread : threads) thread.join();
  lists_->set_own(abc_);
  EXPECT_EQ(remarks().size(), 1U);
  lists_->set_own(ab_);
  EXPECT_THAT(remarks(), IsEmpty());
}

TEST_F(EnvoyListsTest, OutlivesWhoMadeIt) {
  auto lists = std::make_shared<EnvoyLists>();
  const auto envoy = lists->enter(*ab_);
  lists.reset();
}

}  // namespace tracker::rpc
