#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>

#include "metrics/tally.h"

namespace tracker::metrics {

/// How often values fell between fixed bounds. One thread at a time observes, any thread reads. `bounds` are the upper
/// bounds of the buckets, in order; one more bucket has no bound.
template <const auto& bounds>
class Histogram {
 public:
  static constexpr std::size_t size = bounds.size() + 1;

  void observe(std::uint64_t value, std::uint64_t times = 1) noexcept {
    std::size_t bucket = first_buckets[static_cast<std::size_t>(std::bit_width(value))];
    while (bucket < bounds.size() && value > bounds[bucket])
      ++bucket;  // twice at most, with the bounds below
    buckets_[bucket].add(times);
    const double more = static_cast<double>(value) * static_cast<double>(times);
    sum_.store(sum() + more, std::memory_order_relaxed);
  }

  /// How many values were in each bucket.
  std::array<std::uint64_t, size> buckets() const noexcept {
    std::array<std::uint64_t, size> read{};
    std::transform(buckets_.begin(), buckets_.end(), read.begin(),
                   [](const Tally& its) { return its.value(); });
    return read;
  }
  /// The sum of all values.
  double sum() const noexcept { return sum_.load(std::memory_order_relaxed); }

 private:
  /// By the bit width of a value: the bucket of the least value with that width.
  static constexpr auto first_buckets = [] {
    std::array<std::uint8_t, 65> buckets{};
    for (std::size_t width = 1; width < buckets.size(); ++width) {
      const auto least = std::uint64_t{1} << (width - 1);
      const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), least) - bounds.begin();
      buckets[width] = static_cast<std::uint8_t>(bucket);
    }
    return buckets;
  }();

  std::array<Tally, size> buckets_;
  std::atomic<double> sum_ = 0;
};

/// In nanoseconds, from 10 µs to 10 s.
inline constexpr std::array<std::uint64_t, 19> duration_bounds = {
    10'000,      25'000,        50'000,        100'000,       250'000,       500'000,     1'000'000,
    2'500'000,   5'000'000,     10'000'000,    25'000'000,    50'000'000,    100'000'000, 250'000'000,
    500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};

/// Numbers of hits.
inline constexpr std::array<std::uint64_t, 17> size_bounds = {
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536};

class Durations : public Histogram<duration_bounds> {
 public:
  /// A clock that went back counts as no time.
  void observe(std::chrono::nanoseconds duration, std::uint64_t times = 1) noexcept {
    Histogram::observe(static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count())), times);
  }
};

using Sizes = Histogram<size_bounds>;

}  // namespace tracker::metrics
