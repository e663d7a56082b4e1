#pragma once

#include <array>
#include <cstdint>
#include <optional>
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

  /// Whether the store outlives the process.
  bool is_lasting = true;

  /// As it was last written; empty if it never was.
  std::string record = {};

  bool operator==(const StoreFacts&) const = default;
};

/// Nothing: they are not known yet, or cannot be known.
using StoreFactsSource = runtime::Observable<std::optional<StoreFacts>>;

}  // namespace tracker::store
