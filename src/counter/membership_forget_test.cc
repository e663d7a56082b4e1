// A counter forgets another one.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "counter/membership.h"

namespace tracker::counter {
namespace {

store::StoreFacts store_of(std::uint8_t number) {
  store::StoreFacts facts;
  facts.id.fill(number);
  return facts;
}

CounterListPtr list(const std::string& text, std::uint64_t version) {
  return std::make_shared<const CounterList>(CounterList::parse(text, version));
}

// What b says of itself.
CounterFacts b_with(std::uint8_t store, CounterListPtr adopted) {
  CounterFacts facts;
  facts.owns_every_token = false;
  facts.name = "b";
  facts.store = store_of(store);
  facts.adopted = std::move(adopted);
  return facts;
}

const CounterListPtr& both() {
  static const auto both = list("a=h:1,b=h:2", 1);
  return both;
}

class ForgetTest : public testing::Test {
 protected:
  ForgetTest() { a_.on_peer("b", b_with(2, both())); }
  bool is_bound_to(std::uint8_t store) const {
    const auto& bound = a_.record().bound;
    const auto its = bound.find("b");
    return its != bound.end() && its->second == store_of(store).id;
  }

  Membership a_{store_of(1), "a", both(), {}};
};

TEST_F(ForgetTest, AListWithoutItIsAdopted) {
  const auto alone = list("a=h:1", 2);
  ASSERT_TRUE(is_bound_to(2));
  EXPECT_TRUE(a_.adopt(alone).value().find("tracker slots forget b") != std::string::npos);
  const auto forgotten = a_.forget("b");
  EXPECT_TRUE(forgotten.name);
  EXPECT_TRUE(forgotten.store);
  EXPECT_EQ(a_.adopt(alone), std::nullopt);
  EXPECT_TRUE(a_.record().settled.all()) << "it needs b no more";
  EXPECT_FALSE(a_.record().names.contains("b"));
}

TEST_F(ForgetTest, AnotherStoreIsBoundInPlaceOfTheFormer) {
  a_.on_peer("b", b_with(3, both()));
  EXPECT_TRUE(is_bound_to(2));
  const auto forgotten = a_.forget("b");
  EXPECT_FALSE(forgotten.name);
  EXPECT_TRUE(forgotten.store);
  EXPECT_TRUE(is_bound_to(3)) << "although b says nothing new";
  EXPECT_TRUE(a_.adopt(list("a=h:1", 2))) << "b may hold tokens in its new store";
}

TEST_F(ForgetTest, AnotherStoreIsBoundWhenItComes) {
  a_.forget("b");
  EXPECT_FALSE(is_bound_to(2));
  a_.on_peer("b", b_with(3, both()));
  EXPECT_TRUE(is_bound_to(3));
  EXPECT_TRUE(a_.record().names.contains("b"));
}

TEST_F(ForgetTest, TheStoreMayComeBackUnderAnotherName) {
  ASSERT_EQ(a_.adopt(list("a=h:1,b=h:2,c=h:3", 2)), std::nullopt);
  auto c = b_with(2, both());
  c.name = "c";
  a_.on_peer("c", c);
  EXPECT_FALSE(a_.record().bound.contains("c"));
  a_.forget("b");
  EXPECT_TRUE(a_.record().bound.contains("c")) << "although c says nothing new";
  EXPECT_FALSE(a_.record().bound.contains("b"));
}

TEST_F(ForgetTest, WhatWasForgottenBeforeStaysSo) {
  ASSERT_EQ(a_.adopt(list("a=h:1,b=h:2,c=h:3", 2)), std::nullopt);
  auto c = b_with(4, both());
  c.name = "c";
  a_.on_peer("c", c);
  a_.forget("b");
  a_.forget("c");
  EXPECT_EQ(a_.adopt(list("a=h:1", 3)), std::nullopt);
}

TEST_F(ForgetTest, AnUnknownNameChangesNothing) {
  const auto before = a_.record();
  const auto forgotten = a_.forget("c");
  EXPECT_FALSE(forgotten.name || forgotten.store);
  EXPECT_EQ(a_.record(), before);
}

}  // namespace
}  // namespace tracker::counter
