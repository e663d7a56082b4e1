#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/slot_marks.h"

namespace tracker::store::redis {

/// One mark without its slots, as it stands at each of them in a Redis Cluster: a letter for the kind, a space, and the id of
/// the export in hex. Pure.
std::string mark_text(const SlotMark& mark);
/// The reverse. Nothing if it is no such text. Pure.
std::optional<SlotMark> parse_mark(std::string_view text);

/// What the fields marked_field and holds_field of facts_key are while these are all marks. Empty: there is no such field.
/// Pure.
std::string marked_text(const SlotMarks& marks);
std::string holds_text(const SlotMarks& marks);

}  // namespace tracker::store::redis
