#pragma once

#include <chrono>
#include <cstdint>

#include "domain/slot.h"
#include "domain/verdict.h"
#include "runtime/address.h"
#include "store/redis/cluster_map.h"

namespace tracker::store::redis {

/// Why a node of a cluster certainly did not execute a command that is to be sent again.
enum class Elsewhere : std::uint8_t {
  no = 0,  // it is not to be sent again
  again,   // the node cannot execute it now: TRYAGAIN, CLUSTERDOWN, LOADING, READONLY, MASTERDOWN
  moved,   // another node has the slot
  asked,   // another node has the slot for this command, which must follow ASKING
};

/// The verdict that a node's connection gives on hits that are to be sent again. Only a ClusterStore sees it.
inline domain::Verdict not_counted_here(Elsewhere how) {
  auto verdict = domain::Verdict::not_counted();
  verdict.count = static_cast<std::int64_t>(how);
  return verdict;
}

inline Elsewhere elsewhere(const domain::Verdict& verdict) {
  return verdict.kind == domain::Verdict::Kind::not_counted ? static_cast<Elsewhere>(verdict.count)
                                                            : Elsewhere::no;
}

/// Hears what the connections to a cluster's nodes learn of the cluster. Called in the loop's thread.
class ClusterListener {
 public:
  /// A node has told its view, for which it was asked at this time.
  virtual void on_view(const ClusterView& view, std::chrono::steady_clock::time_point asked) = 0;
  /// MOVED: before the hits that it is about get their verdict.
  virtual void on_moved(domain::Slot slot, const runtime::Address& to) = 0;
  /// ASK: likewise.
  virtual void on_asked_elsewhere(domain::Slot slot, const runtime::Address& to) = 0;
  /// The node refuses everything while any slot of the cluster has no master (`cluster-require-full-coverage`).
  virtual void on_full_coverage_required() = 0;

 protected:
  ~ClusterListener() = default;
};

}  // namespace tracker::store::redis
