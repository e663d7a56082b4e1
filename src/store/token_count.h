#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "domain/readiness.h"
#include "store/readiness.h"

namespace tracker::store {

/// How many tokens a store has, and the most that it may have. Any thread.
class TokenCount {
 public:
  /// `tokens_max`: 0 means any number.
  explicit TokenCount(std::uint64_t tokens_max, std::uint64_t tokens = 0) : tokens_max_(tokens_max) {
    set(tokens);
  }

  std::uint64_t value() const noexcept { return tokens_; }
  std::uint64_t max() const noexcept { return tokens_max_; }
  void set(std::uint64_t tokens) {
    tokens_ = tokens;
    tell();
  }
  /// Whether there may be one more, beside `others` that are not counted yet.
  bool has_room(std::int64_t others = 0) const noexcept {
    return tokens_max_ == 0 || tokens_ + static_cast<std::uint64_t>(others) < tokens_max_;
  }
  /// Counts one more, unless there are as many as there may be. Returns whether it did.
  bool add_one() {
    auto tokens = tokens_.load();
    do {
      if (tokens_max_ != 0 && tokens >= tokens_max_) return false;
    } while (!tokens_.compare_exchange_weak(tokens, tokens + 1));
    tell();
    return true;
  }
  /// Counts others, whatever the bound is.
  void add(std::int64_t tokens) {
    tokens_ += static_cast<std::uint64_t>(tokens);
    tell();
  }

  /// Has a remark while no more tokens are minted.
  const ReadinessSource& readiness() const noexcept { return readiness_; }

 private:
  void tell() {
    const bool is_full = !has_room();
    if (is_full_.exchange(is_full) == is_full) return;
    readiness_.update([this] {
      const auto now = std::chrono::system_clock::now();
      if (!is_full_) return domain::Readiness::ready(now);
      return domain::Readiness::ready(
          now, {"no more tokens are minted: the store has as many as --tokens-max, " +
                std::to_string(tokens_max_) + "; raise that, or remove some with tracker tokens purge"});
    });
  }

  const std::uint64_t tokens_max_;
  std::atomic<std::uint64_t> tokens_ = 0;
  std::atomic<bool> is_full_ = false;
  ReadinessSource readiness_{domain::Readiness::ready()};
};

}  // namespace tracker::store
