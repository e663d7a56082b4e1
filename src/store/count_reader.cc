#include "store/count_reader.h"

#include <algorithm>

namespace tracker::store {

namespace {
constexpr std::size_t bytes_max = std::size_t{1} << 20U;
}

void FirstCounts::add(std::string_view path, std::int64_t count) {
  if (!path.starts_with(query_.prefix) || path <= query_.after) return;
  counts_.push_back({std::string(path), count});
  if (counts_.size() >= 2 * query_.limit + 64) cut();
}

void FirstCounts::cut() {
  std::ranges::sort(counts_, {}, &StoredCount::path);
  std::size_t bytes = 0;
  std::size_t kept = 0;
  while (kept < counts_.size() && kept < query_.limit && (kept == 0 || bytes < bytes_max)) {
    bytes += counts_[kept++].path.size() + sizeof(StoredCount);
  }
  is_more_ = is_more_ || kept < counts_.size();
  counts_.resize(kept);
}

TokenCounts FirstCounts::take(std::uint64_t minted_s) {
  cut();
  return {.minted_s = minted_s, .counts = std::move(counts_), .is_more = is_more_};
}

}  // namespace tracker::store
