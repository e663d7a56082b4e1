#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/token_id.h"

namespace tracker::domain {

/// The moment after which nobody waits for an answer any more.
using Deadline = std::chrono::steady_clock::time_point;

/// The hits of one event-loop turn on their way to being counted: the unit of work that crosses every layer
/// whole. Kept as columns that clear() leaves allocated, so that a reused batch allocates nothing per hit.
/// Not synchronised: its owner fills it, and leaves it alone until every hit is answered.
class HitBatch {
 public:
  void clear() noexcept {
    ids_.clear();
    paths_.clear();
    path_ends_.clear();
  }

  /// A hit whose deadline has passed when its turn comes is refused, not counted late.
  void set_deadline(Deadline deadline) noexcept { deadline_ = deadline; }
  Deadline deadline() const noexcept { return deadline_; }

  /// Adds a hit; `path` is in normal form (domain/path.h).
  void push(const TokenId& id, std::string_view path) {
    ids_.push_back(id);
    paths_ += path;
    path_ends_.push_back(static_cast<std::uint32_t>(paths_.size()));
  }

  std::size_t size() const noexcept { return ids_.size(); }
  bool empty() const noexcept { return ids_.empty(); }

  const TokenId& id(std::size_t hit) const noexcept { return ids_[hit]; }
  std::string_view path(std::size_t hit) const noexcept {
    const std::uint32_t begin = hit == 0 ? 0 : path_ends_[hit - 1];
    return {paths_.data() + begin, path_ends_[hit] - begin};
  }

  /// Of all hits, one behind the other.
  std::span<const TokenId> ids() const noexcept { return ids_; }
  std::string_view paths() const noexcept { return paths_; }

  /// What the hits take in memory, and about what they take in a message.
  std::size_t bytes() const noexcept {
    return ids_.size() * (sizeof(TokenId) + sizeof(std::uint32_t)) + paths_.size();
  }

 private:
  Deadline deadline_ = Deadline::max();
  std::vector<TokenId> ids_;
  std::string paths_;
  std::vector<std::uint32_t> path_ends_;
};

}  // namespace tracker::domain
