#include "store/redis/redis_marks.h"

#include <gtest/gtest.h>

#include "domain/hex.h"

namespace tracker::store::redis {
namespace {

using Kind = SlotMark::Kind;

domain::SlotSet slots_of(std::initializer_list<std::size_t> numbers) {
  domain::SlotSet slots;
  for (const auto slot : numbers) slots.set(slot);
  return slots;
}

TEST(RedisMarks, AreReadAsTheyAreWritten) {
  const std::vector<SlotMark> marks{{Kind::held, {1, 2}, slots_of({0, 7, 8, 16'383})},
                                    {Kind::importing, {3}, slots_of({9})},
                                    {Kind::moved, {4}, slots_of({10, 100})}};
  const auto text = marks_text(marks);
  EXPECT_TRUE(text.starts_with("h 01020000000000000000000000000000 8101000000"));
  EXPECT_EQ(parse_marks(text), marks);
  EXPECT_EQ(marks_text({}), "");
  EXPECT_EQ(parse_marks(""), std::vector<SlotMark>{});
  for (const auto& mark : marks) {
    const auto its = parse_mark(mark_text(mark));
    ASSERT_TRUE(its.has_value());
    EXPECT_EQ(*its, (SlotMark{mark.kind, mark.export_id}));
  }
}

TEST(RedisMarks, NothingElseIsRead) {
  const auto text = marks_text({{Kind::held, {}, slots_of({5})}});
  EXPECT_TRUE(parse_marks(text).has_value());
  for (std::size_t size = 1; size < text.size(); ++size)
    EXPECT_FALSE(parse_marks(text.substr(0, size)).has_value()) << size;
  EXPECT_FALSE(parse_marks(text + text).has_value()) << "a slot has two marks";
  EXPECT_FALSE(parse_marks("x" + text.substr(1)).has_value());
  EXPECT_FALSE(parse_marks("\n").has_value());
  EXPECT_FALSE(parse_mark("").has_value());
  EXPECT_FALSE(parse_mark("h").has_value());
  EXPECT_FALSE(parse_mark("h 0102000000000000000000000000000g").has_value());
}

TEST(RedisMarks, ASlotHasTheLastMarkThatItWasGiven) {
  std::vector<SlotMark> marks;
  add_mark(marks, {Kind::held, {1}, slots_of({1, 2, 3})});
  add_mark(marks, {Kind::held, {1}, slots_of({4})});
  EXPECT_EQ(marks, (std::vector<SlotMark>{{Kind::held, {1}, slots_of({1, 2, 3, 4})}}));
  add_mark(marks, {Kind::moved, {1}, slots_of({1, 2})});
  add_mark(marks, {Kind::held, {2}, slots_of({3})});
  EXPECT_EQ(marks, (std::vector<SlotMark>{{Kind::held, {1}, slots_of({4})},
                                          {Kind::moved, {1}, slots_of({1, 2})},
                                          {Kind::held, {2}, slots_of({3})}}));
  EXPECT_EQ(slots_with(marks, Kind::held), slots_of({3, 4}));
  take_marks(marks, slots_of({2, 3, 4, 5}));
  EXPECT_EQ(marks, (std::vector<SlotMark>{{Kind::moved, {1}, slots_of({1})}}));
  take_marks(marks, ~domain::SlotSet());
  EXPECT_TRUE(marks.empty());
}

TEST(RedisMarks, TheScriptSeesWhetherThereAreAny) {
  const auto all = ~domain::SlotSet();
  const auto half = slots_of({1, 2});
  EXPECT_EQ(marked_text({}), "");
  EXPECT_EQ(holds_text({}), "");
  EXPECT_EQ(marked_text({{Kind::importing, {}, all}}), "some");
  EXPECT_EQ(holds_text({{Kind::importing, {}, all}}), "");
  EXPECT_EQ(marked_text({{Kind::held, {}, half}}), "some");
  EXPECT_EQ(holds_text({{Kind::held, {}, half}, {Kind::importing, {}, slots_of({3})}}), "some");
  EXPECT_EQ(marked_text({{Kind::held, {}, half}, {Kind::moved, {}, all & ~half}}), "all");
  EXPECT_EQ(holds_text({{Kind::held, {}, all}}), "all");
}

}  // namespace
}  // namespace tracker::store::redis
