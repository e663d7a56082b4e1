#include "store/redis/lowest_ids.h"

#include <algorithm>
#include <utility>

namespace tracker::store::redis {

void LowestIds::add(const domain::TokenId& id) {
  if (after_ && id <= *after_) return;
  if (highest_ && id > *highest_) {
    left_out_ = true;
    return;
  }
  if (ids_.empty()) ids_.reserve(2 * max_);
  ids_.push_back(id);
  if (ids_.size() >= 2 * max_) keep_lowest();
}

void LowestIds::keep_lowest() {
  std::ranges::sort(ids_);
  ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
  if (ids_.size() > max_) {
    left_out_ = true;
    ids_.resize(max_);
  }
  if (ids_.size() == max_) highest_ = ids_.back();
}

void LowestIds::clear() {
  ids_.clear();
  highest_.reset();
  left_out_ = false;
}

std::vector<domain::TokenId> LowestIds::take() {
  keep_lowest();
  return std::exchange(ids_, {});
}

}  // namespace tracker::store::redis
