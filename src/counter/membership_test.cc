#include "counter/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tracker::counter {
namespace {

using store::StoreFacts;
using testing::HasSubstr;

CounterListPtr list_of(std::string_view text, std::uint64_t version) {
  return std::make_shared<const CounterList>(CounterList::parse(text, version));
}

const auto list_ab = list_of("a=h:1,b=h:2", 1);
const auto list_abc = list_of("a=h:1,b=h:2,c=h:3", 2);
const auto list_c_leaves = list_of("a=h:1,b=h:2,c=h:3,leaving", 3);
const auto list_c_is_gone = list_of("a=h:1,b=h:2", 4);

StoreFacts store_of(char letter) {
  StoreFacts facts;
  facts.id.fill(static_cast<std::uint8_t>(letter));
  return facts;
}

/// A counter that keeps durably what its membership decides, and tells it.
struct Node {
  Node(const std::string& name, CounterListPtr list, const StoreFacts& its_store,
       const domain::SlotSet& held = {})
      : store(its_store), membership(std::in_place, its_store, name, std::move(list), held) {}
  explicit Node(const std::string& name, CounterListPtr list = list_ab)
      : Node(name, std::move(list), store_of(name.front())) {}

  const PartitionRecord& record() const { return membership->record(); }
  domain::SlotSet own() const { return Membership::own(*record().list, record().name); }
  bool is_settled() const { return record().settled == own(); }
  std::string obstacle() const {
    if (const auto trouble = membership->trouble()) return *trouble;
    const auto words = membership->obstacles();
    return words.empty() ? "" : words.front();
  }
  std::string refuses(const CounterListPtr& list) { return membership->adopt(list).value_or(""); }

  bool forgets(const std::string& name) {
    const auto forgotten = membership->forget(name);
    return forgotten.name || forgotten.store;
  }

  CounterFacts facts() const {
    return {.owns_every_token = false,
            .store = store,
            .name = record().name,
            .adopted = record().list,
            .held = record().held & ~own(),
            .names = record().names,
            .empty_names = record().empty_names,
            .bound = record().bound};
  }
  void hear(const CounterFacts& facts) { membership->on_peer(facts.name, facts); }
  void hear(const Node& other) { hear(other.facts()); }

  void mint_everywhere() { membership->hold(record().settled); }
  void restart() { membership.emplace(store, PartitionRecord::parse(record().to_string()).value()); }

  StoreFacts store;
  std::optional<Membership> membership;
};

/// Everybody hears everybody, until nothing changes any more.
void talk(const std::vector<Node*>& nodes) {
  for (int round = 0; round < 3; ++round) {
    for (auto* one : nodes) {
      for (auto* other : nodes) {
        if (one != other) one->hear(*other);
      }
    }
  }
}

domain::SlotSet slots_that_move(const CounterList& from, const CounterList& to, const std::string& name) {
  return Membership::own(to, name) & ~Membership::own(from, name);
}

// Settling.

TEST(Membership, FreshCountersSettleInAnyOrder) {
  std::vector<std::string> names{"a", "b", "c"};
  do {
    Node one(names[0], list_abc);
    EXPECT_TRUE(one.record().settled.none()) << "alone";
    Node two(names[1], list_abc);
    talk({&one, &two});
    EXPECT_TRUE(one.record().settled.none() && two.record().settled.none()) << "one is missing";
    Node three(names[2], list_abc);
    talk({&one, &two, &three});
    EXPECT_TRUE(one.is_settled() && two.is_settled() && three.is_settled());
    EXPECT_TRUE((one.own() | two.own() | three.own()).all());
    EXPECT_EQ(one.obstacle(), "");
  } while (std::next_permutation(names.begin(), names.end()));
}

TEST(Membership, ALoneCounterOwnsAndSettlesEverything) {
  EXPECT_TRUE(Node("a", list_of("a=h:1", 0)).record().settled.all());
}

/// A counter a that hears from b what the test makes of a good b.
struct Hearing : testing::Test {
  Hearing() {
    a.hear(b);
    b.hear(a);
    a.hear(b);  // b has noted a's store by now
    good = b.facts();
  }
  /// Returns why a fresh a does not settle after it has heard this.
  static std::string obstacle_after(const CounterFacts& facts) {
    Node fresh("a");
    fresh.membership->on_peer("b", facts);
    EXPECT_EQ(fresh.record().settled.none(), !fresh.obstacle().empty());
    return fresh.obstacle();
  }
  template <typename Change>
  std::string obstacle_if(Change change) const {
    auto facts = good;
    change(facts);
    return obstacle_after(facts);
  }
  Node a{"a"};
  Node b{"b"};
  CounterFacts good;
};

TEST_F(Hearing, OfAPeerThatIsAsItShouldBe) {
  EXPECT_EQ(obstacle_after(good), "");
}

TEST_F(Hearing, OfAPeerThatHasNotAdoptedTheSameList) {
  EXPECT_THAT(Node("a").obstacle(), HasSubstr("counter b at h:2 has not been reached"));
  EXPECT_THAT(obstacle_if([](auto& facts) { facts.adopted = nullptr; }), HasSubstr("has not adopted a list"));
  EXPECT_THAT(
      obstacle_if([](auto& facts) { facts.adopted = list_abc; }),
      HasSubstr("another list, a=h:1,b=h:2,c=h:3 (version 2), than this counter, a=h:1,b=h:2 (version 1)"));
  EXPECT_THAT(obstacle_if([](auto& facts) { facts.adopted = list_of("a=h:1,b=h:2", 9); }),
              HasSubstr("another list"))
      << "another version";
  EXPECT_THAT(obstacle_if([](auto& facts) { facts.adopted = list_of("a=h:1,b=h:2,c=h:3", 1); }),
              HasSubstr("another list"))
      << "other owners";
  EXPECT_EQ(obstacle_if([](auto& facts) { facts.adopted = list_of("b=elsewhere:7,a=h:1", 1); }), "")
      << "addresses and the order do not matter";
}

TEST_F(Hearing, OfAPeerThatOwnsEverything) {
  EXPECT_THAT(obstacle_if([](auto& facts) { facts.owns_every_token = true; }),
              HasSubstr("owns every token; start it with the same --peers"));
}

TEST_F(Hearing, OfAPeerThatHasAnotherName) {
  EXPECT_THAT(obstacle_if([](auto& facts) { facts.name = "c"; }), HasSubstr("is c by its own --name"));
  EXPECT_THAT(obstacle_if([](auto& facts) { facts.name = "a"; }), HasSubstr("is a by its own --name"));
}

TEST_F(Hearing, OfAPeerThatHoldsTokens) {
  const auto slots = a.own();
  std::size_t slot = 0;
  while (!slots[slot]) ++slot;
  Node fresh("a");
  auto facts = good;
  facts.held.set(slot);
  fresh.hear(facts);
  EXPECT_EQ((fresh.own() & ~fresh.record().settled).count(), 1U) << "all others settle";
  EXPECT_FALSE(fresh.record().settled[slot]);
  EXPECT_THAT(fresh.obstacle(), HasSubstr("counter b holds tokens of 1 slots"));
  fresh.hear(good);
  EXPECT_TRUE(fresh.is_settled()) << "they were moved";
}

TEST_F(Hearing, OfAPeerThatKnowsThisStoreOtherwise) {
  EXPECT_THAT(obstacle_if([](auto& facts) { facts.bound.clear(); }),
              HasSubstr("has not noted this counter's store"));
  EXPECT_THAT(obstacle_if([](auto& facts) { facts.bound["a"] = store_of('x').id; }),
              HasSubstr("knows another store by the name of a; restore it, or let go of it by `tracker slots "
                        "forget a` at b"));
  EXPECT_THAT(obstacle_if([](auto& facts) {
                facts.bound = {{"c", store_of('a').id}};
              }),
              HasSubstr("knows this counter's store as that of c; start it with --name c"));
}

TEST_F(Hearing, OfAPeerThatHasCountedBesideAnother) {
  EXPECT_THAT(obstacle_if([](auto& facts) {
                facts.names = {"a", "z"};
              }),
              HasSubstr("has counted beside z, which may hold tokens and is not in the list"));
  EXPECT_EQ(obstacle_if([](auto& facts) {
              facts.names = {"a", "z"};
              facts.empty_names = {"z"};
            }),
            "");
}

TEST_F(Hearing, OfNobody) {
  Node fresh("a");
  fresh.membership->on_peer("a", good);
  fresh.membership->on_peer("z", good);
  EXPECT_EQ(fresh.record(), Node("a").record());
}

TEST(Membership, AStoreInMemoryIsNeitherBoundNorAskedFor) {
  auto memory = store_of('m');
  memory.is_lasting = false;
  Node a("a", list_ab, memory);
  Node b("b");
  talk({&a, &b});
  EXPECT_TRUE(a.is_settled() && b.is_settled());
  EXPECT_FALSE(b.record().bound.contains("a"));
  EXPECT_TRUE(a.record().bound.contains("b"));
  memory.id.fill('n');
  Node again("a", list_ab, memory);
  talk({&again, &b});
  EXPECT_TRUE(again.is_settled());
}

TEST(Membership, WhoSharesItsStoreWithAPeerCountsNothing) {
  Node a("a", list_ab, store_of('s'));
  Node b("b", list_ab, store_of('s'));
  talk({&a, &b});
  ASSERT_TRUE(a.membership->trouble());
  EXPECT_THAT(*a.membership->trouble(), HasSubstr("counter b counts in the same store as this one"));
  EXPECT_TRUE(a.record().settled.none());
  EXPECT_FALSE(a.record().bound.contains("b"));
  Node other("b");
  talk({&a, &other});
  EXPECT_FALSE(a.membership->trouble());
  EXPECT_TRUE(a.is_settled());
}

// A peer's own store may be lost, and another one may come in its place.

TEST(Membership, AnotherStoreUnderAPeersNameIsNotBelieved) {
  Node a("a");
  Node b("b");
  talk({&a, &b});
  b.mint_everywhere();
  const auto list_b_leaves = list_of("a=h:1,b=h:2,leaving", 2);
  for (const bool is_lasting : {true, false}) {
    auto its_store = store_of('x');
    its_store.is_lasting = is_lasting;
    Node on_a_new_disk("b", list_b_leaves, its_store);
    Node its_a = a;
    ASSERT_EQ(its_a.refuses(list_b_leaves), "");
    talk({&its_a, &on_a_new_disk});
    EXPECT_FALSE(its_a.is_settled()) << "b's tokens are on its old disk";
    EXPECT_THAT(its_a.obstacle(), HasSubstr("counter b at h:2 counts in another store than before"));
    EXPECT_FALSE(its_a.record().empty_names.contains("b"));
    its_a.membership->forget("b");
    EXPECT_TRUE(its_a.is_settled()) << "the operator has let go of it";
  }
}

TEST(Membership, AStoreUnderASecondNameIsNotBelieved) {
  Node a("a");
  Node b("b");
  talk({&a, &b});
  ASSERT_EQ(a.refuses(list_of("a=h:1,b=h:2,c=h:3", 2)), "");
  ASSERT_EQ(b.refuses(list_of("a=h:1,b=h:2,c=h:3", 2)), "");
  auto facts = Node("c", list_of("a=h:1,b=h:2,c=h:3", 2), store_of('b')).facts();
  a.hear(facts);
  EXPECT_FALSE(a.record().bound.contains("c"));
  EXPECT_EQ(a.obstacle(), "") << "nothing of a's own is unsettled";
  ASSERT_EQ(a.refuses(list_of("a=h:1,b=h:2,leaving,c=h:3", 3)), "");
  facts.adopted = a.record().list;
  facts.bound["a"] = a.store.id;
  a.hear(facts);
  EXPECT_FALSE(a.is_settled());
  EXPECT_THAT(a.membership->obstacles().back(), HasSubstr("counter c at h:3 counts in the store of b"));
}

// Restarts and changes of the list.

TEST(Membership, ARestartUnderTheSameListAsksNobody) {
  Node a("a");
  Node b("b");
  talk({&a, &b});
  a.restart();
  EXPECT_TRUE(a.is_settled());
  EXPECT_EQ(a.refuses(list_of("b=h:2,a=elsewhere:9", 1)), "");
  EXPECT_TRUE(a.is_settled());
  EXPECT_EQ(a.obstacle(), "");
}

TEST(Membership, AGainedSlotWaitsAndAKeptOneDoesNot) {
  Node a("a", list_abc);
  Node b("b", list_abc);
  Node c("c", list_abc);
  talk({&a, &b, &c});
  const auto kept = a.record().settled;
  ASSERT_EQ(a.refuses(list_c_leaves), "");
  EXPECT_EQ(a.record().settled, kept);
  EXPECT_FALSE(a.is_settled());
  ASSERT_EQ(c.refuses(list_c_leaves), "");
  a.hear(c);
  EXPECT_EQ(a.record().settled, kept) << "b still has the old list";
  ASSERT_EQ(b.refuses(list_c_leaves), "");
  a.hear(b);
  EXPECT_TRUE(a.is_settled());
}

TEST(Membership, ASlotThatWasLostInBetweenIsNotKept) {
  Node a("a");
  Node b("b");
  talk({&a, &b});
  ASSERT_EQ(a.refuses(list_abc), "");
  EXPECT_TRUE(a.is_settled()) << "it has only lost slots";
  ASSERT_EQ(a.refuses(list_c_leaves), "");
  EXPECT_FALSE(a.is_settled());
}

TEST(Membership, WhoMissedTwoChangesKeepsItsSlotsBecauseNobodyCouldSettleThemWithoutIt) {
  Node a("a");
  Node b("b");
  talk({&a, &b});
  ASSERT_EQ(b.refuses(list_abc), "");
  Node c("c", list_abc);
  talk({&b, &c});
  c.hear(a);
  EXPECT_TRUE((c.record().settled & a.own()).none());
  ASSERT_EQ(a.refuses(list_c_leaves), "");
  EXPECT_TRUE(a.is_settled());
}

TEST(Membership, ANewCounterWaitsForTheSlotsThatHaveTokens) {
  Node a("a");
  Node b("b");
  talk({&a, &b});
  a.mint_everywhere();
  for (auto* node : {&a, &b}) ASSERT_EQ(node->refuses(list_abc), "");
  Node c("c", list_abc);
  talk({&a, &b, &c});
  EXPECT_EQ(c.record().settled, slots_that_move(*list_ab, *list_abc, "c") & ~a.record().held);
  EXPECT_TRUE(c.record().settled.any());
}

// Which list is adopted.

TEST(Membership, AListWithALowerVersionIsRefused) {
  Node a("a", list_abc);
  EXPECT_THAT(a.refuses(list_ab),
              HasSubstr("a higher version was adopted already, a=h:1,b=h:2,c=h:3 (version 2)"));
  EXPECT_EQ(a.record().list, list_abc);
}

TEST(Membership, AnotherTableWithTheSameVersionIsRefused) {
  Node a("a");
  EXPECT_THAT(a.refuses(list_of("a=h:1,b=h:2,d=h:4", 1)), HasSubstr("another list with the same version"));
  EXPECT_EQ(a.refuses(list_of("b=h:7,a=h:1,d=h:4,leaving", 1)), "") << "the owners are the same";
}

TEST(Membership, AListWithoutThisCounterIsRefused) {
  EXPECT_THAT(Node("a").refuses(list_of("b=h:2,c=h:3", 9)), HasSubstr("it lacks this counter, a"));
}

TEST(Membership, AListLacksNobodyWhoMayHoldTokens) {
  Node a("a", list_abc);
  EXPECT_THAT(a.refuses(list_c_is_gone),
              HasSubstr("it lacks c, which may hold tokens; keep it in the list as "
                        "c=HOST:PORT,leaving"));
  a.restart();
  EXPECT_THAT(a.refuses(list_c_is_gone), HasSubstr("it lacks c"));
}

TEST(Membership, ACounterLeavesOnceItIsKnownToBeEmpty) {
  Node a("a", list_abc);
  Node b("b", list_abc);
  Node c("c", list_abc);
  talk({&a, &b, &c});
  EXPECT_THAT(a.refuses(list_c_is_gone), HasSubstr("it lacks c")) << "it owns slots";
  for (auto* node : {&a, &b, &c}) ASSERT_EQ(node->refuses(list_c_leaves), "");
  EXPECT_THAT(a.refuses(list_c_is_gone), HasSubstr("it lacks c")) << "it has not said anything";
  talk({&a, &b, &c});
  EXPECT_EQ(c.own().count(), 0U);
  for (auto* node : {&a, &b}) EXPECT_EQ(node->refuses(list_c_is_gone), "");
  talk({&a, &b});
  EXPECT_TRUE(a.is_settled() && b.is_settled());
}

TEST(Membership, ALeaverMayHaveSaidThatItIsEmptyBeforeTheListCame) {
  Node a("a", list_abc);
  Node c("c", list_abc);
  ASSERT_EQ(c.refuses(list_c_leaves), "");
  a.hear(c);
  ASSERT_EQ(a.refuses(list_c_leaves), "");
  EXPECT_EQ(a.refuses(list_c_is_gone), "");
}

TEST(Membership, ALeaverThatHoldsTokensStays) {
  Node a("a", list_abc);
  Node b("b", list_abc);
  Node c("c", list_abc);
  talk({&a, &b, &c});
  c.mint_everywhere();
  for (auto* node : {&a, &b, &c}) ASSERT_EQ(node->refuses(list_c_leaves), "");
  talk({&a, &b, &c});
  EXPECT_FALSE(a.is_settled() || b.is_settled());
  EXPECT_THAT(a.refuses(list_c_is_gone), HasSubstr("it lacks c"));
}

TEST(Membership, WhoOwnsAgainIsNotKnownToBeEmptyAnyMore) {
  Node a("a", list_c_leaves);
  Node b("b", list_c_leaves);
  Node c("c", list_c_leaves);
  talk({&a, &b, &c});
  ASSERT_TRUE(a.record().empty_names.contains("c"));
  ASSERT_EQ(a.refuses(list_of("a=h:1,b=h:2,c=h:3", 5)), "");
  EXPECT_FALSE(a.record().empty_names.contains("c"));
  EXPECT_THAT(a.refuses(list_of("a=h:1,b=h:2", 6)), HasSubstr("it lacks c"));
}

// c was empty when a left. It came back and got tokens before a came back.
TEST(Membership, StaleEmptinessIsNotBelieved) {
  const auto a_and_c_leave = list_of("a=h:1,leaving,b=h:2,c=h:3,leaving", 1);
  Node a("a", a_and_c_leave);
  Node b("b", a_and_c_leave);
  Node c("c", a_and_c_leave);
  talk({&a, &b, &c});
  ASSERT_TRUE(a.record().empty_names.contains("c"));

  const auto list_bc = list_of("b=h:2,c=h:3", 2);
  for (auto* node : {&b, &c}) ASSERT_EQ(node->refuses(list_bc), "");
  talk({&b, &c});
  c.mint_everywhere();
  b.mint_everywhere();

  // One version, one table, two lists.
  ASSERT_EQ(a.refuses(list_of("a=h:1,b=h:2", 3)), "");
  ASSERT_EQ(b.refuses(list_of("a=h:1,b=h:2,c=h:3,leaving", 3)), "");
  talk({&a, &b});
  EXPECT_TRUE((a.record().settled & c.record().held).none()) << "these tokens would be unknown";
  EXPECT_THAT(a.obstacle(), HasSubstr("counter b at h:2 has counted beside c"));

  // The same list for all.
  const auto all = list_of("a=h:1,b=h:2,c=h:3,leaving", 4);
  for (auto* node : {&a, &b, &c}) ASSERT_EQ(node->refuses(all), "");
  talk({&a, &b, &c});
  EXPECT_THAT(a.refuses(list_of("a=h:1,b=h:2", 5)), HasSubstr("it lacks c"))
      << "c has said that it holds tokens";
}

// Forgetting.

TEST(Membership, ForgetsACounterThatWillNotComeBack) {
  Node a("a", list_abc);
  Node b("b", list_abc);
  Node c("c", list_abc);
  talk({&a, &b, &c});
  EXPECT_FALSE(a.forgets("z"));
  EXPECT_THAT(a.refuses(list_c_is_gone), HasSubstr("`tracker slots forget c`"));
  EXPECT_TRUE(a.forgets("c"));
  EXPECT_FALSE(a.record().names.contains("c") || a.record().bound.contains("c"));
  EXPECT_FALSE(a.forgets("c"));
  EXPECT_EQ(a.refuses(list_c_is_gone), "");
  EXPECT_TRUE(b.forgets("c"));
  EXPECT_EQ(b.refuses(list_c_is_gone), "");
  talk({&a, &b});
  EXPECT_TRUE(a.is_settled() && b.is_settled());
}

TEST(Membership, AForgottenCounterThatSpeaksAgainIsKnownAgain) {
  Node a("a", list_abc);
  Node b("b", list_abc);
  Node c("c", list_abc);
  talk({&a, &b, &c});
  a.membership->forget("c");
  a.hear(c);
  EXPECT_TRUE(a.record().bound.contains("c"));
  EXPECT_THAT(a.refuses(list_c_is_gone), HasSubstr("it lacks c"));
}

TEST(Membership, AListKnowsSoManyNamesAndNoMore) {
  Node a("a", list_of("a=h:1", 0));
  std::uint64_t version = 0;
  std::string refusal;
  while (refusal.empty() && version < 1'000) {
    std::string text = "a=h:1";
    ++version;
    for (int i = 0; i < 100; ++i)
      text += "," + std::string(100, 'x') + std::to_string(100 * version + i) +
              "=h:" + std::to_string(i + 2) + ",leaving";
    refusal = a.refuses(list_of(text, version));
    for (const auto& name : std::set<std::string>(a.record().names)) {
      auto facts = Node(name, a.record().list).facts();
      facts.store->is_lasting = false;
      a.hear(facts);
    }
  }
  EXPECT_THAT(refusal, HasSubstr("it knows too many names"));
  EXPECT_LE(a.record().to_string().size(), 64U * 1024);
}

}  // namespace
}  // namespace tracker::counter
