#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/count_reader.h"

namespace tracker::store {

/// Keeps the first of the counts that a query wants, out of many, in bounded memory. A value.
class LowestPaths {
 public:
  static constexpr std::size_t bytes_of_a_page = 1024 * 1024;

  /// Keeps at most `bytes_max` of them, but one at least.
  explicit LowestPaths(CountsQuery query, std::size_t bytes_max = bytes_of_a_page)
      : query_(std::move(query)), bytes_max_(bytes_max) {}

  /// The same path may come several times.
  void add(std::string_view path, std::int64_t count);

  /// Forgets all.
  void clear();

  /// Returns whether the query wants more than these.
  bool left_out() const noexcept { return first_left_out_.has_value(); }

  /// In the order of the paths' bytes.
  std::vector<StoredCount> counts() const;

 private:
  const CountsQuery query_;
  const std::size_t bytes_max_;
  std::map<std::string, std::int64_t, std::less<>> counts_;
  std::size_t bytes_ = 0;
  std::optional<std::string> first_left_out_;
};

}  // namespace tracker::store
