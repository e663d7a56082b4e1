#include "counter/counter_list.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <vector>

namespace tracker::counter {
namespace {

std::string complaint(std::string_view text, bool is_file = false) {
  try {
    is_file ? CounterList::parse_file(text) : CounterList::parse(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(CounterList, ReadsNamesAndAddresses) {
  const auto list = CounterList::parse("a=10.0.0.1:6381, 10.0.0.2:6381,c=[::1]:7,leaving,d=host:1", 3);
  ASSERT_EQ(list.entries().size(), 4U);
  EXPECT_EQ(list.entries()[0], (CounterList::Entry{"a", {"10.0.0.1", 6381}}));
  EXPECT_EQ(list.entries()[1], (CounterList::Entry{"10.0.0.2:6381", {"10.0.0.2", 6381}}));
  EXPECT_EQ(list.entries()[2], (CounterList::Entry{"c", {"::1", 7}, true}));
  EXPECT_EQ(list.entries()[3], (CounterList::Entry{"d", {"host", 1}}));
  EXPECT_EQ(list.version(), 3U);
  EXPECT_EQ(list.table().names(), (std::vector<std::string>{"10.0.0.2:6381", "a", "d"}));
  EXPECT_EQ(list.to_string(), "a=10.0.0.1:6381,10.0.0.2:6381,c=[::1]:7,leaving,d=host:1");
  EXPECT_EQ(CounterList::parse(list.to_string(), 3), list);
}

TEST(CounterList, ReadsAFile) {
  const auto list = CounterList::parse_file("version 12\r\n# ours\n\na=h:1\n  b=h:2,leaving  \nc=h:3");
  EXPECT_EQ(list, CounterList::parse("a=h:1,b=h:2,leaving,c=h:3", 12));
  EXPECT_EQ(CounterList::parse_file("a=h:1").version(), 0U);
}

TEST(CounterList, AddressesAndOrderDoNotChangeTheTable) {
  const auto list = CounterList::parse("a=h:1,b=h:2,c=h:3");
  const auto other = CounterList::parse("c=h:1,a=elsewhere:9,b=h:2,d=h:4,leaving");
  EXPECT_EQ(list.table().fingerprint(), other.table().fingerprint());
  EXPECT_NE(list, other);
}

TEST(CounterList, APreferenceComesFirstAndIsNoPartition) {
  const auto list = CounterList::parse("c=h:1,a=h:2,b=h:3,leaving", 4);
  std::vector<std::uint8_t> entries(domain::slots, CounterList::nobody);
  entries[5] = 0;
  entries[6] = 1;
  entries[7] = 2;  // it leaves
  entries[8] = 9;  // there is none
  const auto preferring = list.preferring(entries);
  const auto& table = preferring.table();
  EXPECT_EQ(table.owner_name(5), "c");
  EXPECT_EQ(table.owner_name(6), "a");
  for (const auto slot : std::initializer_list<domain::Slot>{7, 8, 9})
    EXPECT_EQ(table.owner(slot), list.table().owner(slot));
  for (const auto slot : std::initializer_list<domain::Slot>{5, 6, 7}) {
    const auto order = table.order(slot);
    EXPECT_EQ(order.size(), 2U);
    EXPECT_EQ(order.front(), table.owner(slot));
    EXPECT_NE(order.front(), order.back());
  }
  EXPECT_NE(preferring, list);
  EXPECT_EQ(list.refusal_of(preferring), std::nullopt);
  EXPECT_EQ(preferring.refusal_of(list), std::nullopt);
  EXPECT_EQ(preferring.to_string(), list.to_string());
}

TEST(CounterList, SaysWhatIsWrong) {
  EXPECT_EQ(complaint("a=h:1,b=h"), "'b=h' is neither host:port nor name=host:port");
  EXPECT_EQ(complaint("a=:1"), "'a=:1' is neither host:port nor name=host:port");
  EXPECT_EQ(complaint("a=h:0"), "'a=h:0' is neither host:port nor name=host:port");
  EXPECT_EQ(complaint("a=h:1,,b=h:2"), "there is an empty entry");
  EXPECT_EQ(complaint(""), "there is an empty entry");
  EXPECT_EQ(complaint("a=h:1,b=h:2,a=h:3"), "the name 'a' is there twice: h:1 and h:3");
  EXPECT_EQ(complaint("a=h:1,b=h:1"), "'a' and 'b' have one address, h:1");
  EXPECT_EQ(complaint("leaving,a=h:1"), "'leaving' must follow the entry of the counter that leaves");
  EXPECT_EQ(complaint("a=h:1,leaving"), "every counter in it leaves");
  EXPECT_EQ(complaint("a b=h:1"),
            "'a b' is no name: a name has up to 128 printable characters and no spaces");
  EXPECT_EQ(complaint("# nothing\n", true), "it names no counter");
  EXPECT_EQ(complaint("version x\na=h:1", true), "'version x' is no version; write it as `version 7`");
  EXPECT_EQ(complaint("a=h:1\nversion 3", true), "'version 3' is neither host:port nor name=host:port");
}

}  // namespace
}  // namespace tracker::counter
