#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "domain/token_id.h"

namespace tracker::store::redis {

/// Keeps the lowest of many ids, in bounded memory. A value.
class LowestIds {
 public:
  /// Keeps the `max` lowest of the ids that are above `after`.
  LowestIds(std::size_t max, const std::optional<domain::TokenId>& after) : max_(max), after_(after) {}

  /// The same id may come several times.
  void add(const domain::TokenId& id);

  /// Forgets all ids.
  void clear();

  /// Returns them in order, each one once, and forgets them.
  std::vector<domain::TokenId> take();

  /// Returns whether there were more.
  bool left_out() const noexcept { return left_out_; }

 private:
  void keep_lowest();

  std::size_t max_;
  std::optional<domain::TokenId> after_;
  std::vector<domain::TokenId> ids_;
  std::optional<domain::TokenId> highest_;  // what is above it is left out
  bool left_out_ = false;
};

}  // namespace tracker::store::redis
