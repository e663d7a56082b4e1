#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "domain/seeded_hash.h"

namespace tracker::domain {

/// Bounds how often each of many asks: so many times a second, and so many times at once after a pause (the generic cell
/// rate algorithm, ITU-T I.371, which keeps one time for each). Its size is fixed. Of more than it has room for, it
/// forgets those against whom the least is held: one that it has forgotten may ask as if after a pause, and nobody is
/// refused because others ask. Where one is kept follows from a secret of this process, so nobody can choose whom he
/// makes it forget. Not synchronised.
class RateBounds {
 public:
  using Clock = std::chrono::steady_clock;
  using Key = std::array<std::uint8_t, 16>;

  /// Both are above 0. There is room for `keys_max`.
  RateBounds(std::size_t per_second, std::size_t at_once, std::size_t keys_max);

  /// Returns how long this one must wait. Zero: it need not, and has asked.
  Clock::duration ask(const Key& key, Clock::time_point now);

 private:
  struct Entry {
    Key key{};
    Clock::time_point even{};  // when nothing will be held against it any more
  };
  static constexpr std::size_t entries = 8;  // in which a key may be

  const Clock::duration pause_;    // that one time costs
  const Clock::duration at_once_;  // that may be held against one
  const SeededHash hash_;
  std::vector<std::array<Entry, entries>> sets_;
};

}  // namespace tracker::domain
