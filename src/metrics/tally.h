#pragma once

#include <atomic>
#include <cstdint>

namespace tracker::metrics {

/// A number that only grows. One thread at a time raises it, any thread reads it. Raising it costs as much as raising a
/// plain integer.
class Tally {
 public:
  void add(std::uint64_t more = 1) noexcept { value_.store(value() + more, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

/// The same for a number that falls, too.
class Level {
 public:
  void add(std::int64_t change) noexcept { set(value() + change); }
  void set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_ = 0;
};

}  // namespace tracker::metrics
