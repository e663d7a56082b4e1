#include "store/redis/distinct_sum.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace tracker::store::redis {

namespace {

void add_to(std::int64_t& total, std::int64_t count) {
  if (__builtin_add_overflow(total, count, &total)) total = std::numeric_limits<std::int64_t>::max();
}

}  // namespace

void DistinctSum::begin() {
  its_fields_.clear();
  its_fields_.reserve(fields_before_ / parts_ * 9 / 8);  // some may come meanwhile
  seen_ = 0;
  sum_seen_ = 0;
}

void DistinctSum::add(std::string_view field, std::int64_t count) {
  ++seen_;
  add_to(sum_seen_, count);
  const auto hash = hash_(field, 0);
  if (hash % parts_ == part_) its_fields_.push_back({hash, hash_(field, 1), count});
}

bool DistinctSum::end() {
  // Every field that was there before was seen, so no field was seen twice.
  if (part_ == 0 && seen_ == fields_before_) {
    fields_ = seen_;
    total_ = sum_seen_;
    return false;
  }
  const auto order = [](const Field& field) { return std::tie(field.hash, field.other_hash, field.count); };
  std::ranges::sort(its_fields_, {}, order);
  for (std::size_t i = 0; i < its_fields_.size(); ++i) {
    const auto& its = its_fields_[i];
    const bool comes_again = i + 1 < its_fields_.size() && its_fields_[i + 1].hash == its.hash &&
                             its_fields_[i + 1].other_hash == its.other_hash;
    if (comes_again) continue;  // with a higher count, if it was counted in between
    ++fields_;
    add_to(total_, its.count);
  }
  return ++part_ < parts_;
}

}  // namespace tracker::store::redis
