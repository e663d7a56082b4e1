#include "store/slot_marks.h"

#include <algorithm>

#include "domain/hex.h"

namespace tracker::store {

namespace {

using Kind = SlotMark::Kind;

constexpr std::array<std::string_view, 3> kind_names{"held", "importing", "moved"};

std::string_view name_of(Kind kind) {
  return kind_names.at(static_cast<std::size_t>(kind));
}

std::optional<Kind> kind_of(std::string_view name) {
  const auto found = std::ranges::find(kind_names, name);
  if (found == kind_names.end()) return std::nullopt;
  return static_cast<Kind>(found - kind_names.begin());
}

/// Takes the text up to the separator off `rest`.
std::string_view take_until(char separator, std::string_view& rest) {
  const auto end = std::min(rest.find(separator), rest.size());
  const auto part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

std::string words_of(const SlotMark& mark) {
  std::string id;
  domain::append_hex(mark.export_id, id);
  const auto slots =
      mark.slots.all() ? std::string("all slots") : std::to_string(mark.slots.count()) + " slots";
  switch (mark.kind) {
    case Kind::held:
      return "hits of tokens in " + slots + " are refused: they are held for export " + id +
             "; finish the move by tracker import and tracker export --drop, or end it by tracker export "
             "--unhold";
    case Kind::importing:
      return "tokens are being imported into " + slots + " (export " + id +
             "), and are refused until all are there; if no import runs, run tracker import again";
    case Kind::moved:
      return "hits of tokens in " + slots +
             " are refused: their tokens have moved to another store (export " + id + ")";
  }
  return "";
}

}  // namespace

void SlotMarks::set(const SlotMark& mark) {
  clear(mark.slots);
  const auto same = std::ranges::find_if(marks_, [&](const auto& other) {
    return other.kind == mark.kind && other.export_id == mark.export_id;
  });
  if (same != marks_.end()) {
    same->slots |= mark.slots;
  } else if (mark.slots.any()) {
    marks_.push_back(mark);
  }
}

void SlotMarks::clear(const domain::SlotSet& slots) {
  for (auto& mark : marks_) mark.slots &= ~slots;
  std::erase_if(marks_, [](const auto& mark) { return mark.slots.none(); });
}

const SlotMark* SlotMarks::of(domain::Slot slot) const noexcept {
  for (const auto& mark : marks_) {
    if (mark.slots[slot]) return &mark;
  }
  return nullptr;
}

domain::SlotSet SlotMarks::slots() const {
  domain::SlotSet slots;
  for (const auto& mark : marks_) slots |= mark.slots;
  return slots;
}

domain::SlotSet SlotMarks::stopped() const {
  return of(Kind::held) | of(Kind::moved);
}

bool SlotMarks::is_importing(const ExportId& id) const noexcept {
  return std::ranges::any_of(
      marks_, [&](const auto& mark) { return mark.kind == Kind::importing && mark.export_id == id; });
}

domain::SlotSet SlotMarks::of(Kind kind) const {
  domain::SlotSet slots;
  for (const auto& mark : marks_) {
    if (mark.kind == kind) slots |= mark.slots;
  }
  return slots;
}

domain::Readiness SlotMarks::readiness(domain::Readiness::Time now) const {
  std::vector<std::string> words;
  for (const auto& mark : marks_) words.push_back(words_of(mark));
  if (!stopped().all()) return domain::Readiness::ready(now, words);
  std::string reasons;
  for (const auto& reason : words) reasons += (reasons.empty() ? "" : "; ") + reason;
  return domain::Readiness::not_ready(reasons, now);
}

std::string SlotMarks::to_string() const {
  std::string text;
  for (const auto& mark : marks_) {
    text += name_of(mark.kind);
    text += ' ';
    domain::append_hex(mark.export_id, text);
    text += ' ';
    text += domain::to_hex(mark.slots);
    text += '\n';
  }
  return text;
}

std::optional<SlotMarks> SlotMarks::parse(std::string_view text) {
  SlotMarks marks;
  while (!text.empty()) {
    auto line = take_until('\n', text);
    const auto kind = kind_of(take_until(' ', line));
    SlotMark mark;
    const bool has_id = domain::parse_hex(take_until(' ', line), mark.export_id);
    const auto slots = domain::parse_slot_set(line);
    if (!kind || !has_id || !slots) return std::nullopt;
    mark.kind = *kind;
    mark.slots = *slots;
    marks.set(mark);
  }
  return marks;
}

}  // namespace tracker::store
