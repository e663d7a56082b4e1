#include "store/redis/redis_marks.h"

#include <algorithm>
#include <cstdint>

#include "domain/hex.h"
#include "store/redis/redis_keys.h"

namespace tracker::store::redis {

namespace {

constexpr std::string_view letters = "him";  // in the order of SlotMark::Kind
constexpr std::string_view some_slots = "some";
constexpr std::size_t mark_size = 2 + 2 * std::tuple_size_v<ExportId>;

void append_bitmap(const domain::SlotSet& slots, std::string& out) {
  std::array<std::uint8_t, domain::slots / 8> bytes{};
  for (std::size_t slot = 0; slot < domain::slots; ++slot) {
    if (slots[slot]) bytes[slot / 8] = static_cast<std::uint8_t>(bytes[slot / 8] | 1U << slot % 8);
  }
  domain::append_hex(bytes, out);
}

std::optional<domain::SlotSet> parse_bitmap(std::string_view text) {
  std::array<std::uint8_t, domain::slots / 8> bytes{};
  if (!domain::parse_hex(text, bytes)) return std::nullopt;
  domain::SlotSet slots;
  for (std::size_t slot = 0; slot < domain::slots; ++slot)
    slots[slot] = (bytes[slot / 8] >> slot % 8 & 1U) != 0;
  return slots;
}

domain::SlotSet forbidden(const std::vector<SlotMark>& marks) {
  return slots_with(marks, SlotMark::Kind::held) | slots_with(marks, SlotMark::Kind::moved);
}

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

std::string marks_text(const std::vector<SlotMark>& marks) {
  std::string text;
  for (const auto& mark : marks) {
    text += mark_text(mark) + ' ';
    append_bitmap(mark.slots, text);
    text += '\n';
  }
  return text;
}

std::optional<std::vector<SlotMark>> parse_marks(std::string_view text) {
  std::vector<SlotMark> marks;
  domain::SlotSet taken;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == text.npos || end <= mark_size || text[mark_size] != ' ') return std::nullopt;
    auto mark = parse_mark(text.substr(0, mark_size));
    const auto slots = parse_bitmap(text.substr(mark_size + 1, end - mark_size - 1));
    if (!mark || !slots || (taken & *slots).any()) return std::nullopt;
    mark->slots = *slots;
    taken |= *slots;
    marks.push_back(*mark);
    text.remove_prefix(end + 1);
  }
  return marks;
}

void add_mark(std::vector<SlotMark>& marks, const SlotMark& mark) {
  take_marks(marks, mark.slots);
  const auto same = std::ranges::find_if(
      marks, [&](const SlotMark& its) { return its.kind == mark.kind && its.export_id == mark.export_id; });
  if (same != marks.end()) {
    same->slots |= mark.slots;
  } else if (mark.slots.any()) {
    marks.push_back(mark);
  }
}

void take_marks(std::vector<SlotMark>& marks, const domain::SlotSet& slots) {
  for (auto& mark : marks) mark.slots &= ~slots;
  std::erase_if(marks, [](const SlotMark& mark) { return mark.slots.none(); });
}

domain::SlotSet slots_with(const std::vector<SlotMark>& marks, SlotMark::Kind kind) {
  domain::SlotSet slots;
  for (const auto& mark : marks) {
    if (mark.kind == kind) slots |= mark.slots;
  }
  return slots;
}

std::string marked_text(const std::vector<SlotMark>& marks) {
  if (marks.empty()) return {};
  return std::string(forbidden(marks).all() ? all_slots : some_slots);
}

std::string holds_text(const std::vector<SlotMark>& marks) {
  return forbidden(marks).none() ? "" : marked_text(marks);
}

}  // namespace tracker::store::redis
