#include "counter/partition_record.h"

#include <gtest/gtest.h>

#include <string>

namespace tracker::counter {
namespace {

PartitionRecord some_record() {
  PartitionRecord record;
  record.name = "a";
  record.list = std::make_shared<const CounterList>(CounterList::parse("a=h:1,b=[::1]:2,c=h:3,leaving", 7));
  for (const std::size_t slot : {0U, 1U, 5U, 4'000U, 16'383U}) record.settled.set(slot);
  record.held = ~record.settled;
  record.names = {"b", "c", "a name = 'with' more, than letters"};
  record.empty_names = {"c"};
  record.bound["b"].fill(0xB0);
  record.bound["a name = 'with' more, than letters"].fill(0x0F);
  return record;
}

const std::string text = some_record().to_string();

std::string without(const std::string& key) {
  const auto begin = text.find("\n" + key + " ");
  return text.substr(0, begin) + text.substr(text.find('\n', begin + 1));
}
std::string with(const std::string& key, const std::string& value) {
  const auto begin = text.find("\n" + key + " ");
  return text.substr(0, begin) + "\n" + key + " " + value + text.substr(text.find('\n', begin + 1));
}
bool is_read(const std::string& record) {
  return PartitionRecord::parse(record).has_value();
}

TEST(PartitionRecord, ComesBackAsItWas) {
  EXPECT_EQ(PartitionRecord::parse(text), some_record());
  PartitionRecord least;
  least.name = "a";
  least.list = std::make_shared<const CounterList>(CounterList::parse("a=h:1"));
  EXPECT_EQ(PartitionRecord::parse(least.to_string()), least);
}

TEST(PartitionRecord, IsComparedByTheListItself) {
  auto other = some_record();
  EXPECT_EQ(other, some_record());
  other.list = std::make_shared<const CounterList>(CounterList::parse("a=h:1,b=[::1]:2,c=h:3,leaving", 8));
  EXPECT_NE(other, some_record());
  other.list = nullptr;
  EXPECT_NE(other, some_record());
}

// It never changes, because stores keep it.
TEST(PartitionRecord, IsLinesOfText) {
  EXPECT_EQ(text.substr(0, text.find("settled")),
            "tracker partition 1\nname a\nversion 7\ncounters a=h:1,b=[::1]:2,c=h:3,leaving\n");
  EXPECT_NE(text.find("\nsettled c4000000"), text.npos) << "slots 0, 1 and 5";
  EXPECT_NE(text.find("\nempty c\n"), text.npos);
  EXPECT_NE(text.find("\nbound b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0 b\n"), text.npos);
}

TEST(PartitionRecord, OneThatIsMalformedIsNotRead) {
  EXPECT_TRUE(is_read(text));
  EXPECT_FALSE(is_read(""));
  EXPECT_FALSE(is_read("\n"));
  for (std::size_t size = 0; size < text.size(); size += size + 200 < text.size() ? 97 : 1) {
    const auto part = text.substr(0, size);
    const bool is_whole_lines = size > 0 && part.back() == '\n' && part.find("\ncounters ") != part.npos;
    EXPECT_EQ(is_read(part), is_whole_lines) << size;
  }
  EXPECT_FALSE(is_read(without("name")));
  EXPECT_FALSE(is_read(without("counters")));
  EXPECT_FALSE(is_read(with("name", "")));
  EXPECT_FALSE(is_read(with("counters", "a=h")));
  for (const auto* version : {"", "x", "7x", "-1", "99999999999999999999"})
    EXPECT_FALSE(is_read(with("version", version))) << version;
  for (const auto* slots : {"", "00", "zz"}) EXPECT_FALSE(is_read(with("settled", slots))) << slots;
  EXPECT_FALSE(is_read(with("held", std::string(4'096, 'g'))));
  for (const auto* bound : {"", "b", "00 b", "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0bx b"})
    EXPECT_FALSE(is_read(with("bound", bound))) << bound;
}

TEST(PartitionRecord, OneOfALaterVersionIsNotRead) {
  EXPECT_FALSE(is_read("tracker partition 2" + text.substr(text.find('\n'))));
  EXPECT_FALSE(is_read(text + "rented b\n"));
}

}  // namespace
}  // namespace tracker::counter
