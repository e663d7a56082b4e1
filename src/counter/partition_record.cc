#include "counter/partition_record.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <system_error>

#include "domain/hex.h"

namespace tracker::counter {

namespace {

constexpr std::string_view title = "tracker partition 1";

std::optional<store::StoreFacts::Id> id_of(std::string_view text) {
  store::StoreFacts::Id id{};
  if (!domain::parse_hex(text, id)) return std::nullopt;
  return id;
}

/// Reads one line after the other, each of which has a key and a value.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool next() {
    const auto end = rest_.find('\n');
    if (end == rest_.npos) return false;
    line_ = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return true;
  }
  bool is_at_end() const noexcept { return rest_.empty(); }
  std::string_view line() const noexcept { return line_; }
  std::string_view key() const { return line_.substr(0, line_.find(' ')); }
  std::string_view value() const {
    const auto space = line_.find(' ');
    return space == line_.npos ? std::string_view() : line_.substr(space + 1);
  }

 private:
  std::string_view rest_;
  std::string_view line_;
};

/// The id of an export, the other store and the slots.
void read_move(std::string_view value, PartitionRecord::Moves& moves) {
  constexpr std::size_t id_digits = 32;
  if (value.size() < 2 * id_digits + 2) throw std::invalid_argument("malformed");
  const auto id = id_of(value.substr(0, id_digits));
  const auto other = id_of(value.substr(id_digits + 1, id_digits));
  const auto slots = domain::parse_slot_set(value.substr(2 * id_digits + 2));
  if (!id || !other || !slots) throw std::invalid_argument("malformed");
  moves.emplace(*id, PartitionRecord::Move{*other, *slots});
}

/// Throws std::invalid_argument if something is missing or makes no sense.
PartitionRecord read(Lines& lines) {
  const auto require = [](auto value) {
    if (!value) throw std::invalid_argument("malformed");
    return *value;
  };
  PartitionRecord record;
  std::uint64_t version = 0;
  while (lines.next()) {
    const auto key = lines.key();
    const auto value = lines.value();
    if (key == "name") {
      record.name = value;
    } else if (key == "version") {
      const auto* end = value.data() + value.size();
      const auto [read_to, error] = std::from_chars(value.data(), end, version);
      if (error != std::errc{} || read_to != end) throw std::invalid_argument("no version");
    } else if (key == "counters") {
      record.list = std::make_shared<const CounterList>(CounterList::parse(value, version));
    } else if (key == "settled") {
      record.settled = require(domain::parse_slot_set(value));
    } else if (key == "held") {
      record.held = require(domain::parse_slot_set(value));
    } else if (key == "gone") {
      record.gone = require(domain::parse_slot_set(value));
    } else if (key == "coming") {
      read_move(value, record.coming);
    } else if (key == "received") {
      read_move(value, record.received);
    } else if (key == "handed") {
      read_move(value, record.handed);
    } else if (key == "beside") {
      record.names.emplace(value);
    } else if (key == "empty") {
      record.empty_names.emplace(value);
    } else if (key == "bound") {  // the id first: a name may hold anything
      const auto id = require(id_of(value.substr(0, value.find(' '))));
      record.bound.emplace(value.substr(std::min(value.size(), value.find(' ') + 1)), id);
    } else {
      throw std::invalid_argument("a line of a later version");
    }
  }
  if (record.name.empty() || !record.list || !lines.is_at_end()) throw std::invalid_argument("incomplete");
  return record;
}

}  // namespace

bool PartitionRecord::operator==(const PartitionRecord& other) const {
  const bool same_list = list == other.list || (list && other.list && *list == *other.list);
  return same_list && name == other.name && settled == other.settled && held == other.held &&
         gone == other.gone && coming == other.coming && received == other.received &&
         handed == other.handed && names == other.names && empty_names == other.empty_names &&
         bound == other.bound;
}

std::string PartitionRecord::to_string() const {
  std::string text;
  const auto line = [&text](std::string_view key, std::string_view value) {
    text += key;
    text += ' ';
    text += value;
    text += '\n';
  };
  text += title;
  text += '\n';
  line("name", name);
  line("version", std::to_string(list->version()));
  line("counters", list->to_string());
  line("settled", domain::to_hex(settled));
  line("held", domain::to_hex(held));
  if (gone.any()) line("gone", domain::to_hex(gone));
  const auto moves = [&line](std::string_view key, const Moves& its) {
    for (const auto& [id, move] : its) {
      std::string value;
      domain::append_hex(id, value);
      value += ' ';
      domain::append_hex(move.other, value);
      line(key, value + ' ' + domain::to_hex(move.slots));
    }
  };
  moves("coming", coming);
  moves("received", received);
  moves("handed", handed);
  for (const auto& its : names) line("beside", its);
  for (const auto& its : empty_names) line("empty", its);
  for (const auto& [its, id] : bound) {
    std::string value;
    domain::append_hex(id, value);
    line("bound", value + ' ' + its);
  }
  return text;
}

std::optional<PartitionRecord> PartitionRecord::parse(std::string_view text) {
  Lines lines(text);
  if (!lines.next() || lines.line() != title) return std::nullopt;
  try {
    return read(lines);
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

}  // namespace tracker::counter
