#include "cli/top_table.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <cstdio>
#include <limits>
#include <utility>

#include "cli/json_answer.h"
#include "runtime/printable.h"

namespace tracker::cli {

namespace json = boost::json;
using domain::FrequentKeys;
using Entry = FrequentKeys::Entry;

namespace {

constexpr auto all = std::numeric_limits<std::size_t>::max();

FrequentKeys read_keys(const json::object& period, const std::string& key_name) {
  const auto number = [](const json::object& object, const char* name) {
    return static_cast<std::uint64_t>(number_of(object, name));
  };
  FrequentKeys keys{.hits = number(period, "hits"), .others_max = number(period, "others_max")};
  for (const auto& value : array_of(period, "top")) {
    if (!value.is_object()) continue;
    const auto& entry = value.as_object();
    keys.entries.push_back({text_of(entry, key_name), number(entry, "count"), number(entry, "error")});
  }
  std::ranges::sort(keys.entries, {}, &Entry::key);
  return keys;
}

std::string right_aligned(const std::string& text, std::size_t columns) {
  return std::string(columns - std::min(columns, text.size()), ' ') + text;
}

}  // namespace

std::string TopTable::target(By by) {
  return std::string("/v1/top?limit=10000&by=") + (by == By::path ? "path" : "token");
}

void TopTable::add(const json::object& answer) {
  const auto capacity = static_cast<std::size_t>(number_of(answer, "capacity"));
  capacity_ = capacity_ == 0 ? capacity : std::min(capacity_, capacity);
  for (auto [name, period] :
       {std::pair("last_minute", &last_minute_), std::pair("since_start", &since_start_)}) {
    const auto& its = object_of(answer, name);
    period->seconds = std::max(period->seconds, number_of(its, "seconds"));
    period->keys.merge(read_keys(its, key_name()), all);
  }
}

json::object TopTable::to_json(std::size_t limit) const {
  const auto period_json = [&](const Period& period) {
    const auto top = period.keys.top(limit);
    json::array entries;
    for (const auto& [key, count, error] : top.entries)
      entries.push_back(json::object{{key_name(), key}, {"count", count}, {"error", error}});
    return json::object{{"seconds", period.seconds},
                        {"hits", top.hits},
                        {"others_max", top.others_max},
                        {"top", std::move(entries)}};
  };
  return {{"by", by_ == By::path ? "path" : "token"},
          {"capacity", capacity_},
          {"last_minute", period_json(last_minute_)},
          {"since_start", period_json(since_start_)}};
}

/// One that is not named has at most so many, and perhaps none.
Entry TopTable::Period::entry(const std::string& key) const {
  const auto found = std::ranges::lower_bound(keys.entries, key, {}, &Entry::key);
  if (found != keys.entries.end() && found->key == key) return *found;
  return {key, keys.others_max, keys.others_max};
}

std::vector<TopTable::Row> TopTable::rows(Over over, std::size_t limit) const {
  std::vector<Row> rows;
  const auto& first = over == Over::last_minute ? last_minute_ : since_start_;
  const auto& second = over == Over::last_minute ? since_start_ : last_minute_;
  for (const auto& entry : first.keys.top(limit).entries)
    rows.push_back({last_minute_.entry(entry.key), since_start_.entry(entry.key)});
  for (const auto& entry : second.keys.top(limit).entries) {
    if (rows.size() >= limit) break;
    const bool is_there =
        std::ranges::any_of(rows, [&](const Row& row) { return row.last_minute.key == entry.key; });
    if (!is_there) rows.push_back({last_minute_.entry(entry.key), since_start_.entry(entry.key)});
  }
  return rows;
}

std::vector<std::string> TopTable::lines(Over over, std::size_t limit, std::size_t columns) const {
  const auto rows = this->rows(over, limit);
  const bool has_errors = std::ranges::any_of(
      rows, [](const Row& row) { return row.last_minute.error > 0 || row.since_start.error > 0; });
  const auto line = [&](const std::string& minute, const std::string& its_error, const std::string& start,
                        const std::string& error, const std::string& key) {
    return cut(right_aligned(minute, 11) + (has_errors ? right_aligned(its_error, 9) : "") + "  " +
                   right_aligned(start, 12) + (has_errors ? right_aligned(error, 9) : "") + "  " + key,
               columns);
  };
  std::vector<std::string> lines{line("last minute", "too high", "since start", "too high", key_name())};
  for (const auto& [minute, start] : rows) {
    lines.push_back(line(std::to_string(minute.count), std::to_string(minute.error),
                         std::to_string(start.count), std::to_string(start.error),
                         runtime::printable(minute.key, minute.key.size() * 4)));
  }
  return lines;
}

std::string TopTable::summary() const {
  return std::to_string(last_minute_.keys.hits) + " requests counted in the last " +
         std::to_string(last_minute_.seconds) + " s, " + std::to_string(since_start_.keys.hits) + " in the " +
         std::to_string(since_start_.seconds) + " s since the start";
}

std::string cut(std::string_view text, std::size_t columns) {
  const auto begins_character = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80; };
  std::size_t bytes = 0;
  for (; bytes < text.size(); ++bytes) {
    if (begins_character(text[bytes]) && columns-- == 0) break;
  }
  return std::string(text.substr(0, bytes));
}

}  // namespace tracker::cli
