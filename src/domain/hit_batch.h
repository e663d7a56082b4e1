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

/// The hits of one turn of an event loop: the unit of work that crosses every layer as a whole. It is stored as
/// columns. clear() keeps their memory, so a reused batch allocates nothing per hit. Not synchronised: its owner fills
/// it, and then does not touch it until every hit has its verdict.
class HitBatch {
 public:
  void clear() noexcept {
    ids_.clear();
    paths_.clear();
    path_ends_.clear();
  }

  /// A hit is refused, not counted late, if the deadline has passed when its turn comes.
  void set_deadline(Deadline deadline) noexcept { deadline_ = deadline; }
  Deadline deadline() const noexcept { return deadline_; }

  /// How many clients have sent hits lately to whoever fills this batch. 0: it is not known.
  void set_clients(std::size_t clients) noexcept { clients_ = clients; }
  std::size_t clients() const noexcept { return clients_; }

  /// How many more hits may soon follow to the counter that gets this batch. Under load, the batch waits for some of them
  /// (link::LinkSettings::Gathering). 0: it waits for none.
  void set_followers(std::size_t followers) noexcept { followers_ = followers; }
  std::size_t followers() const noexcept { return followers_; }

  /// Adds a hit. `path` is in normal form (domain/path.h).
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

  /// The columns: of all hits, one after the other.
  std::span<const TokenId> ids() const noexcept { return ids_; }
  std::string_view paths() const noexcept { return paths_; }

  /// The bytes that the hits take in memory, and about as many in a message.
  std::size_t bytes() const noexcept {
    return ids_.size() * (sizeof(TokenId) + sizeof(std::uint32_t)) + paths_.size();
  }

 private:
  Deadline deadline_ = Deadline::max();
  std::size_t clients_ = 0;
  std::size_t followers_ = 0;
  std::vector<TokenId> ids_;
  std::string paths_;
  std::vector<std::uint32_t> path_ends_;
};

}  // namespace tracker::domain
