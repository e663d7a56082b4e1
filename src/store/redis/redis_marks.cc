#include "store/redis/redis_marks.h"

#include "domain/hex.h"
#include "store/redis/redis_keys.h"

namespace tracker::store::redis {

namespace {

constexpr std::string_view letters = "him";  // in the order of SlotMark::Kind
constexpr std::string_view some_slots = "some";
constexpr std::size_t mark_size = 2 + 2 * std::tuple_size_v<ExportId>;

}  // namespace

std::string mark_text(const SlotMark& mark) {
  std::string text{letters[static_cast<std::size_t>(mark.kind)], ' '};
  domain::append_hex(mark.export_id, text);
  return text;
}

std::optional<SlotMark> parse_mark(std::string_view text) {
  if (text.size() != mark_size || text[1] != ' ') return std::nullopt;
  const auto letter = letters.find(text[0]);
  SlotMark mark;
  if (letter == letters.npos || !domain::parse_hex(text.substr(2), mark.export_id)) return std::nullopt;
  mark.kind = static_cast<SlotMark::Kind>(letter);
  return mark;
}

std::string marked_text(const SlotMarks& marks) {
  if (marks.empty()) return {};
  return std::string(marks.stopped().all() ? all_slots : some_slots);
}

std::string holds_text(const SlotMarks& marks) {
  return marks.stopped().none() ? "" : marked_text(marks);
}

}  // namespace tracker::store::redis
