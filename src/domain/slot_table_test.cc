#include "domain/slot_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace tracker::domain {
namespace {

using Names = std::vector<std::string>;

std::vector<std::string> owners(const SlotTable& table) {
  std::vector<std::string> owners;
  for (std::size_t slot = 0; slot < slots; ++slot)
    owners.push_back(table.owner_name(static_cast<Slot>(slot)));
  return owners;
}

// These never change, because counts lie where they say.
TEST(SlotTable, GoldenOwners) {
  const SlotTable table(Names{"10.0.0.1:6381", "10.0.0.2:6381", "10.0.0.3:6381"});
  EXPECT_EQ(table.fingerprint(), 0x3747'EAA2'A78B'4300U);
  std::string first;
  for (Slot slot = 0; slot < 32; ++slot) first += static_cast<char>('0' + table.owner(slot));
  EXPECT_EQ(first, "22220102212120122220002022021000");
}

TEST(SlotTable, TheOrderOfTheListDoesNotMatter) {
  Names names{"a", "b", "c", "d"};
  const SlotTable table(names);
  do {
    const SlotTable other(names);
    ASSERT_EQ(other, table);
    ASSERT_EQ(other.fingerprint(), table.fingerprint());
    ASSERT_EQ(owners(other), owners(table));
  } while (std::next_permutation(names.begin(), names.end()));
}

TEST(SlotTable, OtherNamesAreAnotherTable) {
  const SlotTable table(Names{"a", "b"});
  for (const Names& names : {Names{"a"}, {"a", "c"}, {"a", "b", "c"}, {"ab"}, {"a", "b "}}) {
    EXPECT_NE(SlotTable(names), table);
    EXPECT_NE(SlotTable(names).fingerprint(), table.fingerprint());
  }
}

TEST(SlotTable, SharesAreWithinTwoPercentagePointsOfEven) {
  Names names;
  for (int counters = 1; counters <= 16; ++counters) {
    names.push_back("counter-" + std::to_string(counters) + ".example:6381");
    const double even = static_cast<double>(slots) / counters;
    for (const auto share : SlotTable(names).shares())
      EXPECT_NEAR(static_cast<double>(share), even, 0.02 * slots) << counters;
  }
}

TEST(SlotTable, ANewCounterTakesItsShareAndNothingElseMoves) {
  for (int i = 0; i < 20; ++i) {
    const auto name = [i](int counter) { return std::to_string(i) + "-" + std::to_string(counter); };
    const auto before = owners(SlotTable({name(1), name(2), name(3)}));
    const auto after = owners(SlotTable({name(1), name(2), name(3), name(4)}));
    std::size_t moved = 0;
    for (std::size_t slot = 0; slot < slots; ++slot) {
      if (before[slot] == after[slot]) continue;
      ++moved;
      EXPECT_EQ(after[slot], name(4));
    }
    EXPECT_NEAR(static_cast<double>(moved) / slots, 0.25, 0.02);
  }
}

TEST(SlotTable, TheNextInOrderIsWhoWouldOwnTheSlotWithoutTheOwner) {
  const Names names{"a", "b", "c", "d"};
  const SlotTable table(names);
  for (Slot slot = 0; slot < slots; ++slot) {
    const auto order = table.order(slot);
    ASSERT_EQ(order.front(), table.owner(slot));
    if (slot % 64 != 0) continue;
    Names others = table.names();
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(order.front()));
    ASSERT_EQ(SlotTable(others).owner_name(slot), table.names()[order[1]]);
  }
}

}  // namespace
}  // namespace tracker::domain
