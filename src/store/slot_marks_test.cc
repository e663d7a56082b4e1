#include "store/slot_marks.h"

#include <gtest/gtest.h>

namespace tracker::store {
namespace {

using domain::SlotSet;
using Kind = SlotMark::Kind;

SlotSet slots(std::initializer_list<std::size_t> numbers) {
  SlotSet set;
  for (const auto number : numbers) set.set(number);
  return set;
}

const ExportId one{1};
const ExportId two{2};

TEST(SlotMarksTest, ASlotHasOneMarkAtMost) {
  SlotMarks marks;
  EXPECT_TRUE(marks.empty());
  marks.set({Kind::held, one, slots({1, 2, 3})});
  marks.set({Kind::importing, two, slots({3, 4})});
  EXPECT_EQ(marks.of(Kind::held), slots({1, 2}));
  ASSERT_NE(marks.of(3), nullptr);
  EXPECT_EQ(marks.of(3)->export_id, two);
  EXPECT_EQ(marks.of(5), nullptr);
  marks.set({Kind::held, one, slots({7})});
  EXPECT_EQ(marks.all().size(), 2U) << "marks of one export are one";
  marks.clear(slots({1, 2, 7}));
  EXPECT_EQ(marks.all(), (std::vector<SlotMark>{{Kind::importing, two, slots({3, 4})}}));
}

TEST(SlotMarksTest, AreReadAsTheyWereWritten) {
  SlotMarks marks;
  EXPECT_EQ(SlotMarks::parse(marks.to_string()), marks);
  marks.set({Kind::held, one, slots({0, 16'383})});
  marks.set({Kind::importing, two, slots({5})});
  marks.set({Kind::moved, two, slots({6})});
  EXPECT_EQ(SlotMarks::parse(marks.to_string()), marks);
  auto text = marks.to_string();
  EXPECT_EQ(SlotMarks::parse("frozen" + text), std::nullopt);
  EXPECT_EQ(SlotMarks::parse(text.substr(0, text.size() / 2)), std::nullopt);
}

TEST(SlotMarksTest, NotReadyIsOnlyWhatCountsNothing) {
  SlotMarks marks;
  EXPECT_TRUE(marks.readiness({}).remarks().empty());
  marks.set({Kind::importing, one, SlotSet{}.set()});
  EXPECT_TRUE(marks.readiness({}).is_ready());
  EXPECT_EQ(marks.readiness({}).remarks().size(), 1U);
  marks.set({Kind::held, one, slots({1})});
  EXPECT_TRUE(marks.readiness({}).is_ready());
  marks.set({Kind::moved, two, ~slots({1})});
  EXPECT_FALSE(marks.readiness({}).is_ready());
}

}  // namespace
}  // namespace tracker::store
