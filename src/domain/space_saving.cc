#include "domain/space_saving.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <utility>

namespace tracker::domain {

namespace {

bool is_more_frequent(const FrequentKeys::Entry& one, const FrequentKeys::Entry& other) {
  if (one.count != other.count) return one.count > other.count;
  if (one.error != other.error) return one.error < other.error;
  return one.key < other.key;
}

}  // namespace

// A key that one side does not list has at most `others_max` hits there. So that is what it may have, and the error of it. What
// this does to the bound is in Agarwal et al.: Mergeable Summaries, 2012.
void FrequentKeys::merge(const FrequentKeys& other, std::size_t capacity) {
  std::vector<Entry> all;
  all.reserve(entries.size() + other.entries.size());
  auto mine = entries.begin();
  auto its = other.entries.begin();
  while (mine != entries.end() || its != other.entries.end()) {
    const bool takes_mine = its == other.entries.end() || (mine != entries.end() && mine->key <= its->key);
    const bool takes_its = mine == entries.end() || (its != other.entries.end() && its->key <= mine->key);
    Entry entry{.key = takes_mine ? mine->key : its->key};
    entry.count = (takes_mine ? mine->count : others_max) + (takes_its ? its->count : other.others_max);
    entry.error = (takes_mine ? mine->error : others_max) + (takes_its ? its->error : other.others_max);
    all.push_back(std::move(entry));
    if (takes_mine) ++mine;
    if (takes_its) ++its;
  }
  hits += other.hits;
  others_max += other.others_max;
  entries = std::move(all);
  if (entries.size() <= capacity) return;
  const auto end = entries.begin() + static_cast<std::ptrdiff_t>(capacity);
  std::nth_element(entries.begin(), end, entries.end(), is_more_frequent);
  others_max = std::max(others_max, end->count);
  entries.erase(end, entries.end());
  std::ranges::sort(entries, {}, &Entry::key);
}

FrequentKeys FrequentKeys::top(std::size_t limit) const {
  FrequentKeys top = *this;
  std::ranges::sort(top.entries, is_more_frequent);
  if (limit < top.entries.size()) {
    top.others_max = std::max(others_max, top.entries[limit].count);
    top.entries.resize(limit);
  }
  return top;
}

SpaceSaving::SpaceSaving(std::size_t capacity, std::size_t key_bytes_max)
    : key_bytes_max_(key_bytes_max),
      keys_(capacity),
      texts_(std::make_unique_for_overwrite<char[]>(capacity * key_bytes_max)),
      sorted_(capacity),
      groups_(capacity),
      table_(std::bit_ceil(4 * capacity)),
      mask_(table_.size() - 1) {
  free_groups_.reserve(capacity);
  clear();
}

void SpaceSaving::clear() {
  free_groups_.clear();
  for (Number i = 0; i < keys_.size(); ++i) {
    sorted_[i] = i;
    keys_[i] = {.hash = 0, .error = 0, .bytes = 0, .position = i, .group = 0};
    if (i > 0) free_groups_.push_back(i);
  }
  groups_.front() = {.count = 0, .begin = 0, .end = static_cast<Number>(keys_.size())};
  std::ranges::fill(table_, none);
  hits_ = 0;
}

void SpaceSaving::add(std::string_view key, std::size_t hash) {
  assert(key.size() <= key_bytes_max_);
  ++hits_;
  if (const auto found = table_[find(key, hash)]; found != none) return raise(found);
  const auto least = sorted_.front();
  if (count_of(least) > 0) remove(least);
  std::memcpy(&texts_[least * key_bytes_max_], key.data(), key.size());
  keys_[least].hash = hash;
  keys_[least].bytes = static_cast<std::uint32_t>(key.size());
  keys_[least].error = count_of(least);
  table_[find(key, hash)] = least;  // the gap may have moved
  raise(least);
}

/// Adds one to the count: the key becomes the last one of its group, and goes over into the next group.
void SpaceSaving::raise(Number key) {
  const auto group = keys_[key].group;
  auto& its = groups_[group];
  const auto last = its.end - 1;
  keys_[sorted_[last]].position = keys_[key].position;
  std::swap(sorted_[keys_[key].position], sorted_[last]);
  keys_[key].position = last;
  const auto after = its.end < sorted_.size() ? keys_[sorted_[its.end]].group : none;
  const bool is_alone = its.begin == last;
  if (after != none && groups_[after].count == its.count + 1) {
    --its.end;
    --groups_[after].begin;
    keys_[key].group = after;
    if (is_alone) free_groups_.push_back(group);
  } else if (is_alone) {
    ++its.count;
  } else {
    --its.end;
    keys_[key].group = free_groups_.back();
    free_groups_.pop_back();
    groups_[keys_[key].group] = {.count = its.count + 1, .begin = last, .end = last + 1};
  }
}

/// Where the key is in the table, or the gap where it would be.
std::size_t SpaceSaving::find(std::string_view text, std::size_t hash) const {
  auto at = hash & mask_;
  while (table_[at] != none && (keys_[table_[at]].hash != hash || text_of(table_[at]) != text)) at = next(at);
  return at;
}

/// Moves those into the gap whose search would meet it.
void SpaceSaving::remove(Number key) {
  auto gap = find(text_of(key), keys_[key].hash);
  const auto distance = [this](std::size_t from, std::size_t to) { return (to - from) & mask_; };
  for (auto at = next(gap); table_[at] != none; at = next(at)) {
    if (distance(keys_[table_[at]].hash, at) < distance(gap, at)) continue;
    table_[gap] = table_[at];
    gap = at;
  }
  table_[gap] = none;
}

FrequentKeys SpaceSaving::frequent() const {
  FrequentKeys keys{.hits = hits_, .others_max = count_of(sorted_.front())};
  for (const auto key : sorted_) {
    if (count_of(key) > 0)
      keys.entries.push_back({std::string(text_of(key)), count_of(key), keys_[key].error});
  }
  std::ranges::sort(keys.entries, {}, &FrequentKeys::Entry::key);
  return keys;
}

}  // namespace tracker::domain
