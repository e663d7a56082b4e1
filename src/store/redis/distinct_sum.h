#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "domain/seeded_hash.h"

namespace tracker::store::redis {

/// Sums the counts of a hash's fields, each one once, although a pass over them may name a field several times. It
/// remembers the fields by their hashes of 128 bits, in bounded memory: a large hash takes several passes. A value.
class DistinctSum {
 public:
  static constexpr std::size_t fields_of_a_pass = 128 * 1'024;  // 3 MiB

  /// `fields`: how many there were before the first pass. Meanwhile there may come more, but none goes.
  explicit DistinctSum(std::size_t fields, std::size_t fields_max = fields_of_a_pass)
      : fields_before_(fields), parts_(fields / fields_max + 1) {}

  /// Begins a pass over all fields. Called again, it begins that pass anew.
  void begin();
  void add(std::string_view field, std::int64_t count);
  /// Ends the pass. Returns whether another one is needed.
  bool end();

  /// Of all fields, after the last pass. A total that is too large for its type is the largest one.
  std::size_t fields() const noexcept { return fields_; }
  std::int64_t total() const noexcept { return total_; }

 private:
  struct Field {
    std::uint64_t hash;
    std::uint64_t other_hash;
    std::int64_t count;
  };

  const domain::SeededHash hash_;
  const std::size_t fields_before_;
  const std::size_t parts_;  // each pass sums one of them
  std::size_t part_ = 0;
  std::vector<Field> its_fields_;  // those of the part
  std::size_t seen_ = 0;           // in this pass, of all parts
  std::int64_t sum_seen_ = 0;
  std::size_t fields_ = 0;
  std::int64_t total_ = 0;
};

}  // namespace tracker::store::redis
