// What a counter that is one of several decides when tokens move to and from it.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "counter/lost_slots.h"
#include "counter/membership.h"

namespace tracker::counter {
namespace {

using domain::SlotSet;

CounterListPtr list_of(std::string_view text, std::uint64_t version) {
  return std::make_shared<const CounterList>(CounterList::parse(text, version));
}

const auto list_a = list_of("a=h:1", 1);
const auto list_ab = list_of("a=h:1,b=h:2", 2);
const auto list_abc = list_of("a=h:1,b=h:2,c=h:3", 3);
const auto list_a_again = list_of("a=h:1,b=h:2,leaving", 4);

/// A counter that keeps durably what its membership decides, and tells it.
struct Node {
  Node(std::string its_name, const CounterListPtr& list, const SlotSet& held = {})
      : name(std::move(its_name)) {
    store.id.fill(static_cast<std::uint8_t>(name.front()));
    membership.emplace(store, name, list, held);
  }

  const PartitionRecord& record() const { return membership->record(); }
  SlotSet own() const { return Membership::own(*record().list, name); }
  SlotSet lost_to(const std::string& other) const {
    const auto lost = lost_slots(record());
    const auto its = lost.find(other);
    return its == lost.end() ? SlotSet{} : its->second;
  }
  store::ExportId export_to(const std::string& other) const {
    return lost_export_id(store.id, *record().list, other);
  }
  static std::map<store::ExportId, SlotSet> slots_of(const PartitionRecord::Moves& moves) {
    std::map<store::ExportId, SlotSet> all;
    for (const auto& [id, move] : moves) all[id] = move.slots;
    return all;
  }
  /// The import of what this counter has lost to another one.
  Membership::Import import_to(const std::string& other) const {
    return {.id = export_to(other), .source = store.id, .slots = lost_to(other), .is_lost = true};
  }
  CounterFacts facts() const {
    return {.owns_every_token = false,
            .store = store,
            .name = name,
            .adopted = record().list,
            .held = record().held & ~own(),
            .received = slots_of(record().received),
            .handed = slots_of(record().handed),
            .names = record().names,
            .empty_names = record().empty_names,
            .bound = record().bound};
  }
  void hear(const Node& other) { membership->on_peer(other.name, other.facts()); }
  void adopt(const CounterListPtr& list) { EXPECT_EQ(membership->adopt(list), std::nullopt); }
  void restart() { membership.emplace(store, PartitionRecord::parse(record().to_string()).value()); }

  std::string name;
  store::StoreFacts store;
  std::optional<Membership> membership;
};

/// Everybody hears everybody, until nothing changes any more.
void talk(const std::vector<Node*>& nodes) {
  for (int round = 0; round < 4; ++round) {
    for (auto* one : nodes) {
      for (auto* other : nodes) {
        if (one != other) one->hear(*other);
      }
    }
  }
}

/// Counter a had every token; then b came to the list.
struct OneToTwo : testing::Test {
  OneToTwo() {
    a.adopt(list_ab);
    talk({&a, &b});
    to_b = a.import_to("b");
  }
  void import_begins() { EXPECT_EQ(b.membership->begin_import(to_b), std::nullopt); }
  void import_ends() { EXPECT_EQ(b.membership->end_import(to_b), std::nullopt); }
  void all_adopt(const CounterListPtr& list) {
    a.adopt(list);
    b.adopt(list);
  }

  Node a{"a", list_a, SlotSet{}.set()};
  Node b{"b", list_ab};
  Membership::Import to_b;
};

TEST_F(OneToTwo, WhatHasArrivedSettlesOnceTheSourceHasLetItGo) {
  const auto moving = a.lost_to("b");
  EXPECT_EQ(moving, b.own());
  EXPECT_TRUE(b.record().settled.none());
  import_begins();
  talk({&a, &b});
  EXPECT_TRUE(b.record().settled.none()) << "not all is there";
  EXPECT_EQ(a.lost_to("b"), moving);
  import_ends();
  EXPECT_TRUE(b.record().settled.none()) << "a does not know it yet";
  a.hear(b);
  EXPECT_TRUE(a.lost_to("b").none());
  EXPECT_EQ(a.record().gone, moving);
  b.hear(a);
  EXPECT_EQ(b.record().settled, moving);
  EXPECT_TRUE(b.record().received.empty());
  talk({&a, &b});
  EXPECT_EQ(a.record().settled | b.record().settled, SlotSet{}.set());
}

TEST_F(OneToTwo, RestartsBetweenAllStepsChangeNothing) {
  const auto moving = a.lost_to("b");
  const auto restart_both = [&] {
    a.restart();
    b.restart();
    talk({&a, &b});
  };
  restart_both();
  import_begins();
  restart_both();
  EXPECT_EQ(a.lost_to("b"), moving);
  import_begins();
  import_ends();
  b.restart();
  EXPECT_FALSE(b.record().received.empty());
  restart_both();
  EXPECT_EQ(b.record().settled, moving);
  import_begins();  // once more, by an operator who does not know
  import_ends();
  restart_both();
  EXPECT_EQ(b.record().settled, moving);
  EXPECT_EQ(a.record().gone, moving);
}

const auto to_c = Membership::own(*list_ab, "b") & Membership::own(*list_abc, "c");

// The source adopts another list before it hears that all has arrived. Then it lets nothing go, and it is exported again.
TEST_F(OneToTwo, WhatWasExportedByAnotherListIsNotLetGo) {
  import_begins();
  import_ends();
  a.adopt(list_abc);
  a.hear(b);
  EXPECT_TRUE(a.record().gone.none());
  EXPECT_TRUE(a.record().held.all());
  b.adopt(list_abc);
  EXPECT_NE(b.membership->begin_import(a.import_to("b")), std::nullopt)
      << "it is not known yet which is the copy";
  Node c{"c", list_abc};
  talk({&a, &b, &c});
  EXPECT_EQ(b.record().gone, to_b.slots);
  EXPECT_TRUE(b.record().received.empty());
  const auto again = a.import_to("b");
  EXPECT_EQ(again.slots, to_b.slots & ~to_c);
  EXPECT_EQ(b.membership->begin_import(again), std::nullopt);
  EXPECT_EQ(b.membership->end_import(again), std::nullopt);
  talk({&a, &b, &c});
  EXPECT_EQ(b.record().settled, b.own());
}

// The real tokens are those of the source until it has let them go.
TEST_F(OneToTwo, WhatIsNotCompleteIsACopyOnceTheListTakesItsSlotsAway) {
  ASSERT_TRUE(to_c.any());
  import_begins();
  b.adopt(list_abc);
  EXPECT_TRUE(b.lost_to("c").none()) << "it has nothing that c should have";
  EXPECT_EQ(b.record().gone, to_c);
  EXPECT_NE(b.membership->end_import(to_b), std::nullopt) << "no receipt";
}

TEST_F(OneToTwo, WhatWasReceivedIsMovedOnOnlyIfTheSourceHasLetItGo) {
  for (const bool was_let_go : {false, true}) {
    Node source{"a", list_a, SlotSet{}.set()};
    Node target{"b", list_ab};
    Node third{"c", list_abc};
    source.adopt(list_ab);
    talk({&source, &target});
    const auto import = source.import_to("b");
    EXPECT_EQ(target.membership->begin_import(import), std::nullopt);
    EXPECT_EQ(target.membership->end_import(import), std::nullopt);
    if (was_let_go) source.hear(target);
    target.adopt(list_abc);
    third.hear(target);
    EXPECT_EQ(target.facts().held & to_c, to_c) << "nobody may take these slots for empty";
    EXPECT_TRUE(target.lost_to("c").none()) << "but they are not moved on";
    target.restart();
    source.adopt(list_abc);
    talk({&source, &target, &third});
    EXPECT_EQ(target.lost_to("c"), was_let_go ? to_c : SlotSet{});
    EXPECT_EQ(source.lost_to("c") & to_c, was_let_go ? SlotSet{} : to_c);
    EXPECT_TRUE((third.record().settled & to_c).none()) << "one of them holds the tokens";
  }
}

// By another export than the one that was received here.
TEST_F(OneToTwo, WhatTheSourceHasLetGoToAnotherIsACopyHere) {
  import_begins();
  import_ends();
  all_adopt(list_abc);
  Node c{"c", list_abc};
  c.hear(a);
  const auto moved = a.import_to("c");
  EXPECT_EQ(c.membership->begin_import(moved), std::nullopt);
  EXPECT_EQ(c.membership->end_import(moved), std::nullopt);
  a.hear(c);
  EXPECT_EQ(a.record().gone & to_c, to_c);
  talk({&a, &b, &c});
  EXPECT_TRUE(b.lost_to("c").none());
  EXPECT_EQ(b.record().gone, to_b.slots);
  EXPECT_EQ(c.record().settled & to_c, to_c);
  EXPECT_TRUE(a.record().handed.empty()) << "everybody knows";
}

// What comes from a store that is no counter's is nobody's copy.
TEST_F(OneToTwo, WhatCameFromElsewhereIsMovedOnInAnyCase) {
  Membership::Import import{.id = {7}, .source = {8}, .slots = b.own()};
  EXPECT_EQ(b.membership->begin_import(import), std::nullopt);
  b.adopt(list_abc);
  EXPECT_EQ(b.membership->end_import(import), std::nullopt);
  EXPECT_EQ(b.lost_to("c"), to_c);
  EXPECT_TRUE(b.record().gone.none());
}

TEST_F(OneToTwo, ACopyIsNeverCountedWhenItsSlotsComeBack) {
  import_begins();
  import_ends();
  talk({&a, &b});
  const auto moved = b.record().settled;
  b.membership->hold(moved);
  all_adopt(list_a_again);
  talk({&a, &b});
  EXPECT_EQ(a.own(), SlotSet{}.set());
  EXPECT_TRUE((a.record().settled & moved).none()) << "the tokens are at b";
  EXPECT_EQ(b.lost_to("a"), moved);
  const auto back = b.import_to("a");
  EXPECT_EQ(a.membership->begin_import(back), std::nullopt);
  EXPECT_EQ(a.record().gone & moved, moved) << "these are to be removed first";
  EXPECT_EQ(a.membership->end_import(back), std::nullopt);
  talk({&a, &b});
  EXPECT_TRUE(a.record().settled.all());
  EXPECT_TRUE(a.record().gone.none());
  EXPECT_TRUE(b.record().held.none());
  EXPECT_TRUE(a.record().empty_names.contains("b")) << "it can go from the list";
}

const auto list_b = list_of("b=h:2", 5);
const auto list_bc = list_of("b=h:2,c=h:3", 5);
const auto list_a_alone = list_of("a=h:1", 5);

TEST_F(OneToTwo, WhatOnlyAForgottenCounterHadSettlesOnceItsCopyIsRemoved) {
  import_begins();
  import_ends();
  talk({&a, &b});
  const auto moved = b.record().settled;
  EXPECT_EQ(given_up_slots(a.record(), "b"), moved);
  EXPECT_EQ(a.membership->forget("b", moved).slots, moved);
  a.adopt(list_a_alone);
  EXPECT_TRUE(a.record().gone.none());
  EXPECT_TRUE(a.record().settled.all());
}

TEST_F(OneToTwo, ACopyThatIsStillThereSettlesAlsoThenNowhere) {
  import_begins();
  import_ends();
  talk({&a, &b});
  const auto moved = b.record().settled;
  EXPECT_TRUE(a.membership->forget("b").slots.none());
  a.adopt(list_a_alone);
  EXPECT_EQ(a.record().settled, ~moved);
  EXPECT_NE(a.membership->obstacles().back().find("tracker slots forget"), std::string::npos);
}

TEST_F(OneToTwo, ACounterThatWasForgottenAndIsThereIsAskedAllTheSame) {
  import_begins();
  import_ends();
  talk({&a, &b});
  const auto moved = b.record().settled;
  b.membership->hold(moved);
  a.membership->forget("b", moved);
  all_adopt(list_a_again);
  talk({&a, &b});
  EXPECT_TRUE((a.record().settled & moved).none()) << "the tokens are at b";
  const auto back = b.import_to("a");
  EXPECT_EQ(a.membership->begin_import(back), std::nullopt);
  EXPECT_EQ(a.membership->end_import(back), std::nullopt);
  talk({&a, &b});
  EXPECT_TRUE(a.record().settled.all());
}

TEST_F(OneToTwo, WhatHasNotAllArrivedIsGivenUpWithItsSource) {
  import_begins();
  EXPECT_EQ(given_up_slots(b.record(), "a"), to_b.slots);
  EXPECT_TRUE(given_up_slots(b.record(), "c").none());
  EXPECT_EQ(b.membership->forget("a", to_b.slots).slots, to_b.slots);
  EXPECT_TRUE(b.record().coming.empty());
  b.adopt(list_b);
  EXPECT_TRUE(b.record().settled.all());
}

TEST_F(OneToTwo, WhatWasReceivedFromASourceThatIsForgottenIsNoCopy) {
  import_begins();
  import_ends();
  EXPECT_TRUE(b.membership->forget("a", given_up_slots(b.record(), "a")).slots.none());
  b.adopt(list_bc);
  Node c{"c", list_bc};
  talk({&b, &c});
  EXPECT_EQ(b.lost_to("c"), to_b.slots & c.own());
  EXPECT_EQ(b.record().settled, b.own());
}

TEST_F(OneToTwo, SlotsWhoseTokensHaveMovedAwayTakeNoOthers) {
  import_begins();
  import_ends();
  talk({&a, &b});
  all_adopt(list_a_again);
  const auto moved = a.record().gone;
  const auto why = a.membership->begin_import({.id = {7}, .source = {8}, .slots = moved});
  EXPECT_NE(why.value_or("").find("tracker slots forget"), std::string::npos);
  EXPECT_EQ(a.membership->begin_import({.id = {7}, .source = {8}, .slots = ~moved}), std::nullopt);
}

TEST_F(OneToTwo, SlotsOfOthersAreNotImported) {
  const auto before = b.record();
  EXPECT_NE(b.membership->begin_import({.id = {1}, .slots = SlotSet{}.set()}), std::nullopt);
  EXPECT_EQ(b.record(), before);
}

// A program of yesterday refuses such a record.
TEST(PartitionRecordMoves, AreReadAsTheyWereWritten) {
  PartitionRecord record{.name = "a", .list = list_ab};
  EXPECT_EQ(record.to_string().find("gone"), std::string::npos)
      << "an older program reads a record without moves";
  record.gone.set(3);
  record.coming[{1}] = {{9}, SlotSet{}.set(4)};
  record.received[{2}] = {{8}, SlotSet{}.set(5)};
  const auto read = PartitionRecord::parse(record.to_string());
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, record);
}

}  // namespace
}  // namespace tracker::counter
