#include "store/redis/redis_marks.h"

#include <gtest/gtest.h>

#include <vector>

namespace tracker::store::redis {
namespace {

using Kind = SlotMark::Kind;

domain::SlotSet slots_of(std::initializer_list<std::size_t> numbers) {
  domain::SlotSet slots;
  for (const auto slot : numbers) slots.set(slot);
  return slots;
}

SlotMarks marks_of(const std::vector<SlotMark>& all) {
  SlotMarks marks;
  for (const auto& mark : all) marks.set(mark);
  return marks;
}

TEST(RedisMarks, AreReadAsTheyAreWritten) {
  for (const auto kind : {Kind::held, Kind::importing, Kind::moved}) {
    const auto its = parse_mark(mark_text({kind, {1, 2}}));
    ASSERT_TRUE(its.has_value());
    EXPECT_EQ(*its, (SlotMark{kind, {1, 2}}));
  }
  EXPECT_FALSE(parse_mark("").has_value());
  EXPECT_FALSE(parse_mark("h").has_value());
  EXPECT_FALSE(parse_mark("x 01020000000000000000000000000000").has_value());
  EXPECT_FALSE(parse_mark("h 0102000000000000000000000000000g").has_value());
}

TEST(RedisMarks, TheScriptSeesWhetherThereAreAny) {
  const auto all = ~domain::SlotSet();
  const auto half = slots_of({1, 2});
  EXPECT_EQ(marked_text({}), "");
  EXPECT_EQ(holds_text({}), "");
  EXPECT_EQ(marked_text(marks_of({{Kind::importing, {}, all}})), "some");
  EXPECT_EQ(holds_text(marks_of({{Kind::importing, {}, all}})), "");
  EXPECT_EQ(marked_text(marks_of({{Kind::held, {}, half}})), "some");
  EXPECT_EQ(holds_text(marks_of({{Kind::held, {}, half}, {Kind::importing, {}, slots_of({3})}})), "some");
  EXPECT_EQ(marked_text(marks_of({{Kind::held, {}, half}, {Kind::moved, {}, all & ~half}})), "all");
  EXPECT_EQ(holds_text(marks_of({{Kind::held, {}, all}})), "all");
}

}  // namespace
}  // namespace tracker::store::redis
