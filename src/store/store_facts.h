#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "runtime/observable.h"

namespace tracker::store {

/// Which store this is, and what its counter keeps in it beside the counts. A value.
struct StoreFacts {
  using Id = std::array<std::uint8_t, 16>;

  /// Drawn at random when the store is first used, and kept in it. A store that is restored keeps it.
  Id id{};

  /// Which run of the server holds the store, if several processes can use the store through a server at the same time
  /// (Redis' run_id, or the operator's word for what is behind a proxy). Empty: one process at a time has the store.
  std::string server_run = {};

  /// The ids of the masters, if the store is a Redis Cluster. Then it has no other identity.
  std::set<std::string> masters = {};

  /// Whether the store outlives the process.
  bool is_lasting = true;

  /// As it was last written; empty if it never was.
  std::string record = {};

  /// Whether several processes can use the store at the same time.
  bool can_be_shared() const { return !server_run.empty() || !masters.empty(); }

  /// Whether this is certainly the same store. A cluster is the same if a master is in both.
  bool is_same_store(const StoreFacts& other) const {
    return masters.empty() ? other.masters.empty() && id == other.id : shares_a_run_with(other);
  }

  /// Whether this is certainly the same store in the same run of its server, so that several processes count as one in
  /// it.
  bool shares_a_run_with(const StoreFacts& other) const {
    return std::ranges::any_of(masters, [&](const auto& master) { return other.masters.contains(master); }) ||
           (!server_run.empty() && id == other.id && server_run == other.server_run);
  }

  bool operator==(const StoreFacts&) const = default;
};

/// Nothing: they are not known yet, or cannot be known.
using StoreFactsSource = runtime::Observable<std::optional<StoreFacts>>;

}  // namespace tracker::store
