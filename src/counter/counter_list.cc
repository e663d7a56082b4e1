#include "counter/counter_list.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <utility>

namespace tracker::counter {

namespace {

using Entry = CounterList::Entry;

constexpr std::size_t entries_max = 128;
constexpr std::size_t name_bytes_max = 128;
constexpr std::string_view leaving_mark = "leaving";
constexpr std::string_view version_mark = "version ";

[[noreturn]] void refuse(const std::string& why) {
  throw std::invalid_argument(why);
}

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r";
  const auto begin = text.find_first_not_of(space);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= name_bytes_max &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\'; });
}

Entry parse_entry(std::string_view text) {
  const auto equals = text.find('=');
  const auto address_text = equals == text.npos ? text : trimmed(text.substr(equals + 1));
  const auto name = equals == text.npos ? text : trimmed(text.substr(0, equals));
  const auto address = runtime::parse_address(address_text);
  if (!address || address->host.empty() || address->port == 0)
    refuse(quoted(text) + " is neither host:port nor name=host:port");
  if (!is_name(name))
    refuse(quoted(name) + " is no name: a name has up to 128 printable characters and no spaces");
  return {std::string(name), *address};
}

/// Calls `use` with each part of `text` between separators, without the white space around it.
template <typename Use>
void for_each_part(std::string_view text, char separator, Use use) {
  while (true) {
    const auto end = text.find(separator);
    use(trimmed(text.substr(0, end)));
    if (end == text.npos) return;
    text.remove_prefix(end + 1);
  }
}

void append_entries(std::string_view text, std::vector<Entry>& entries) {
  bool follows_entry = false;  // in this text
  for_each_part(text, ',', [&](std::string_view part) {
    if (part == leaving_mark) {
      if (!follows_entry) refuse("'leaving' must follow the entry of the counter that leaves");
      entries.back().leaving = true;
      return;
    }
    if (part.empty()) refuse("there is an empty entry");
    entries.push_back(parse_entry(part));
    follows_entry = true;
  });
}

std::optional<std::uint64_t> parse_version(std::string_view text) {
  std::uint64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return version;
}

void require_different(const std::vector<Entry>& entries) {
  for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
    for (auto other = entries.begin(); other != entry; ++other) {
      const auto both = to_string(other->address) + " and " + to_string(entry->address);
      if (other->name == entry->name) refuse("the name " + quoted(entry->name) + " is there twice: " + both);
      if (other->address == entry->address)
        refuse(quoted(other->name) + " and " + quoted(entry->name) + " have one address, " +
               to_string(entry->address));
    }
  }
}

std::vector<std::string> owners(const std::vector<Entry>& entries) {
  if (entries.size() > entries_max) refuse("there are more than 128 counters");
  require_different(entries);
  std::vector<std::string> names;
  for (const auto& entry : entries) {
    if (!entry.leaving) names.push_back(entry.name);
  }
  if (names.empty()) refuse(entries.empty() ? "it names no counter" : "every counter in it leaves");
  return names;
}

}  // namespace

CounterList::CounterList(std::vector<Entry> entries, std::uint64_t version)
    : entries_(std::move(entries)), version_(version), table_(owners(entries_)) {}

CounterList CounterList::parse(std::string_view text, std::uint64_t version) {
  std::vector<Entry> entries;
  append_entries(text, entries);
  return {std::move(entries), version};
}

CounterList CounterList::parse_file(std::string_view text) {
  std::vector<Entry> entries;
  std::uint64_t version = 0;
  std::size_t lines = 0;
  for_each_part(text, '\n', [&](std::string_view line) {
    if (++lines == 1 && line.starts_with(version_mark)) {
      const auto number = parse_version(trimmed(line.substr(version_mark.size())));
      if (!number) refuse(quoted(line) + " is no version; write it as `version 7`");
      version = *number;
    } else if (!line.empty() && !line.starts_with('#')) {
      append_entries(line, entries);
    }
  });
  return {std::move(entries), version};
}

CounterList CounterList::preferring(std::vector<std::uint8_t> entries) const {
  std::vector<std::uint16_t> numbers;
  const auto& names = table_.names();
  for (const auto& entry : entries_) {
    const auto found = std::ranges::find(names, entry.name);
    numbers.push_back(found == names.end() ? domain::SlotTable::nobody
                                           : static_cast<std::uint16_t>(found - names.begin()));
  }
  std::vector<std::uint16_t> counters;
  for (const auto entry : entries)
    counters.push_back(entry < numbers.size() ? numbers[entry] : domain::SlotTable::nobody);
  CounterList list = *this;
  list.table_.prefer(counters);
  list.preferred_ = std::move(entries);
  return list;
}

const Entry* CounterList::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(entries_, name, &Entry::name);
  return found == entries_.end() ? nullptr : &*found;
}

std::optional<std::string> CounterList::refusal_of(const CounterList& list) const {
  const bool has_other_owners = list.table().fingerprint() != table_.fingerprint();
  if (list.version() > version_ || (list.version() == version_ && !has_other_owners)) return std::nullopt;
  if (list.version() < version_) {
    return "the list " + list.described() + " is refused: a higher version was adopted already, " +
           described() + "; give that list, or a new version";
  }
  return "the list " + list.described() +
         " is refused: another list with the same version was adopted already, " + described() +
         "; give the changed list a higher version (--table-version, or the first line of the file)";
}

std::string CounterList::to_string() const {
  std::string text;
  for (const auto& [name, address, leaving] : entries_) {
    const auto its_address = runtime::to_string(address);
    if (!text.empty()) text += ',';
    text += name == its_address ? name : name + '=' + its_address;
    if (leaving) text += "," + std::string(leaving_mark);
  }
  return text;
}

}  // namespace tracker::counter
