#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/slot.h"
#include "runtime/address.h"

namespace tracker::store::redis {

/// What one node of a Redis Cluster says of all nodes: the reply to CLUSTER NODES (Redis Cluster specification, "Cluster
/// nodes"). A value.
struct ClusterView {
  struct Master {
    std::string id;
    runtime::Address address;
    std::uint64_t epoch = 0;                                        // its configuration epoch
    bool is_failed = false;                                         // according to this view: `fail`
    std::vector<std::pair<domain::Slot, domain::Slot>> slots = {};  // the first and the last of each range
  };
  std::string myself = {};           // the id of the node that says this
  runtime::Address asked = {};       // where it was asked
  std::vector<Master> masters = {};  // that have slots and an address
  std::vector<runtime::Address> others =
      {};  // of replicas and of masters without slots, which know the map as well

  /// `asked` is where the node was asked: a node that does not know its own host leaves it out. Nothing if the text is
  /// no such reply.
  static std::optional<ClusterView> parse(std::string_view text, const runtime::Address& asked);
};

/// Which master has which slot, according to all views so far. Pure. Not synchronised. Invariants:
/// 1. The owner of a slot is the master that claimed it with the highest configuration epoch of all views so far. So a
///    view of a node that is behind, such as a master that was paused and replaced, changes nothing.
/// 2. A node is confirmed by the views of other masters only, not by replicas, unless it is the only master.
class ClusterMap {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::uint16_t nobody = UINT16_MAX;

  struct Node {
    std::string id;
    runtime::Address address;
    TimePoint confirmed{};  // when the last view was asked for that confirmed it
    std::size_t slots = 0;  // that it owns
  };

  /// Takes a view that was asked for at this time. Returns false if it is of another cluster: none of its masters is
  /// known. Then nothing has changed.
  bool take(const ClusterView& view, TimePoint asked);

  /// Forgets everything.
  void clear() { *this = {}; }

  bool is_empty() const noexcept { return nodes_.empty(); }
  /// An index into nodes(), or `nobody`.
  std::uint16_t owner(domain::Slot slot) const noexcept { return slots_[slot].owner; }
  /// All masters that were ever seen. An index stays the same.
  const std::vector<Node>& nodes() const noexcept { return nodes_; }
  std::optional<std::uint16_t> find(const runtime::Address& address) const;

 private:
  struct Ownership {
    std::uint64_t epoch = 0;
    std::uint16_t owner = nobody;
  };
  std::uint16_t index_of(const ClusterView::Master& master);

  std::vector<Node> nodes_;
  std::map<std::string, std::uint16_t, std::less<>> by_id_;
  std::array<Ownership, domain::slots> slots_{};
};

}  // namespace tracker::store::redis
