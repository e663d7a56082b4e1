#include "cli/slots_ask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "domain/slot.h"

namespace tracker::cli {

using counter::CounterFacts;
using counter::CounterList;
using domain::Readiness;
using testing::HasSubstr;
using testing::Not;

counter::CounterListPtr list_of(const std::string& text, std::uint64_t version) {
  return std::make_shared<const CounterList>(CounterList::parse(text, version));
}

const auto list_ab = list_of("a=h:1,b=h:2", 3);
const auto shares = list_ab->table().shares();

CounterFacts facts_of(const std::string& name, std::optional<std::size_t> settled) {
  return {.owns_every_token = false, .name = name, .adopted = list_ab, .settled = settled};
}

const Answer a_settled{Readiness::ready(), facts_of("a", shares[0])};
const Answer b_settled{Readiness::ready(), facts_of("b", shares[1])};

TEST(SlotsAsk, WhereAllIsSettledItIsWhole) {
  const auto found = settlement(*list_ab, {a_settled, b_settled});
  EXPECT_TRUE(found.is_whole);
  const auto own = std::to_string(shares[0]);
  EXPECT_THAT(found.text,
              HasSubstr("counter a at h:1 is ready\n  " + own + " of its " + own + " slots are settled\n"));
  EXPECT_THAT(found.text, HasSubstr("\n16384 of 16384 slots are known to be settled\n"));
}

TEST(SlotsAsk, WhatIsNotSettledIsSaid) {
  auto b = b_settled;
  b.readiness = Readiness::not_ready("counter b at h:2 is reachable, but it waits for a");
  b.facts->settled = 0;
  b.facts->held.set(1).set(7);
  const auto found = settlement(*list_ab, {a_settled, b});
  EXPECT_FALSE(found.is_whole);
  EXPECT_THAT(found.text, HasSubstr("\ncounter b at h:2 is reachable, but it waits for a\n  0 of its "));
  EXPECT_THAT(found.text, HasSubstr("\n  it holds tokens of 2 slots that are not its own\n"));
  b.facts->held.reset(1);
  EXPECT_THAT(settlement(*list_ab, {a_settled, b}).text, HasSubstr("of 1 slot that"));
}

TEST(SlotsAsk, OfACounterThatIsAwayNothingIsKnown) {
  const auto found =
      settlement(*list_ab, {a_settled, {Readiness::not_ready("counter b at h:2 is away"), {}}});
  EXPECT_FALSE(found.is_whole);
  EXPECT_THAT(found.text,
              HasSubstr("\ncounter b at h:2 is away\n\n" + std::to_string(shares[0]) + " of 16384"));
}

TEST(SlotsAsk, AnOlderCounterDoesNotSayIt) {
  const auto found = settlement(*list_ab, {a_settled, {Readiness::ready(), facts_of("b", std::nullopt)}});
  EXPECT_FALSE(found.is_whole);
  EXPECT_THAT(found.text,
              HasSubstr("how many of its " + std::to_string(shares[1]) + " slots are settled is not known"));
}

TEST(SlotsAsk, AnotherListIsNamedAndItsSettledSlotsDoNotCount) {
  auto b = b_settled;
  b.facts->adopted = list_of("a=h:1,b=h:2", 2);
  const auto found = settlement(*list_ab, {a_settled, b});
  EXPECT_FALSE(found.is_whole);
  EXPECT_THAT(found.text, HasSubstr("\n  it has another list: version 2, fingerprint "));
  b.facts->adopted = nullptr;
  EXPECT_THAT(settlement(*list_ab, {a_settled, b}).text, HasSubstr("it has not adopted a list yet"));
}

TEST(SlotsAsk, CountersThatOwnEveryTokenSaySo) {
  const Answer every{Readiness::ready(), CounterFacts{}};
  const auto all = settlement(*list_ab, {every, every});
  EXPECT_TRUE(all.is_whole);
  EXPECT_THAT(all.text, HasSubstr("  it owns every token"));
  EXPECT_THAT(all.text, Not(HasSubstr("16384")));
  EXPECT_FALSE(settlement(*list_ab, {a_settled, every}).is_whole) << "a mixture";
}

TEST(SlotsAsk, WhoIsSomebodyElseIsSaid) {
  auto b = b_settled;
  b.facts->name = "c";
  EXPECT_THAT(settlement(*list_ab, {a_settled, b}).text, HasSubstr("it is c by its own --name"));
  EXPECT_FALSE(settlement(*list_ab, {a_settled, b}).is_whole);
  b.facts->name = "";
  EXPECT_THAT(settlement(*list_ab, {a_settled, b}).text, HasSubstr("it is no counter"));
}

TEST(SlotsAsk, OneThatLeavesOwnsNothing) {
  const auto list = list_of("a=h:1,b=h:2,leaving", 4);
  CounterFacts a = facts_of("a", domain::slots);
  CounterFacts b = facts_of("b", 0);
  a.adopted = b.adopted = list;
  const auto found = settlement(
      *list,
      {{Readiness::ready(), a}, {Readiness::not_ready("counter b at h:2 is reachable, but it leaves"), b}});
  EXPECT_TRUE(found.is_whole);
  EXPECT_THAT(found.text, HasSubstr("  it leaves: it owns no slots\n"));
}

}  // namespace tracker::cli
