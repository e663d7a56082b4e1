#include "store/lowest_paths.h"

#include <iterator>

namespace tracker::store {

void LowestPaths::add(std::string_view path, std::int64_t count) {
  if (!path.starts_with(query_.prefix) || path <= query_.after) return;
  if (first_left_out_ && path >= *first_left_out_) return;
  const auto place = counts_.lower_bound(path);
  if (place != counts_.end() && place->first == path) {
    place->second = count;
    return;
  }
  counts_.emplace_hint(place, path, count);
  bytes_ += sizeof(StoredCount) + path.size();
  while (counts_.size() > query_.limit || (bytes_ > bytes_max_ && counts_.size() > 1)) {
    const auto last = std::prev(counts_.end());
    bytes_ -= sizeof(StoredCount) + last->first.size();
    first_left_out_ = last->first;
    counts_.erase(last);
  }
}

void LowestPaths::clear() {
  counts_.clear();
  bytes_ = 0;
  first_left_out_.reset();
}

std::vector<StoredCount> LowestPaths::counts() const {
  std::vector<StoredCount> counts;
  counts.reserve(counts_.size());
  for (const auto& [path, count] : counts_) counts.push_back({path, count});
  return counts;
}

}  // namespace tracker::store
