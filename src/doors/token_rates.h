#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <vector>

#include "domain/token_id.h"

namespace tracker::doors {

/// Bounds how often each token asks: so many requests a second, and as many at once after a pause. Has a fixed size: of more
/// tokens than it has room for, it forgets those that have paused for longest. Not synchronised.
class TokenRates {
 public:
  using Clock = std::chrono::steady_clock;

  explicit TokenRates(std::size_t requests_per_second);

  /// Returns how long the token must wait. Zero: it need not, and has asked.
  Clock::duration ask(const domain::TokenId& id, Clock::time_point now);

  static constexpr std::size_t tokens_max = 8'192;

 private:
  struct Entry {
    domain::TokenId id{};
    Clock::time_point even{};  // when what it has asked will not be held against it any more
  };
  static constexpr std::size_t entries = 8;  // in which a token may be

  const Clock::duration pause_;  // between requests
  std::vector<std::array<Entry, entries>> sets_{tokens_max / entries};
};

}  // namespace tracker::doors
