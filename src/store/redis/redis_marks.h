#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store_contents.h"

namespace tracker::store::redis {

/// One mark without its slots, as it stands at each of them in a Redis Cluster: a letter for the kind, a space, and the id of
/// the export in hex. Pure.
std::string mark_text(const SlotMark& mark);
/// The reverse. Nothing if it is no such text. Pure.
std::optional<SlotMark> parse_mark(std::string_view text);

/// All marks, as they stand in a Redis by itself: a line for each, which is mark_text(), a space, and the slots as a bitmap in
/// hex. No marks: no text. Pure.
std::string marks_text(const std::vector<SlotMark>& marks);
/// The reverse. Nothing if it is no such text, or if two marks have a slot in common. Pure.
std::optional<std::vector<SlotMark>> parse_marks(std::string_view text);

/// Gives the slots of `mark` that mark in place of those they have. Pure.
void add_mark(std::vector<SlotMark>& marks, const SlotMark& mark);
/// Takes the marks of these slots away. Pure.
void take_marks(std::vector<SlotMark>& marks, const domain::SlotSet& slots);

/// The slots that have a mark of this kind. Pure.
domain::SlotSet slots_with(const std::vector<SlotMark>& marks, SlotMark::Kind kind);

/// What the fields marked_field and holds_field of facts_key are while these are all marks. Empty: there is no such field.
/// Pure.
std::string marked_text(const std::vector<SlotMark>& marks);
std::string holds_text(const std::vector<SlotMark>& marks);

}  // namespace tracker::store::redis
