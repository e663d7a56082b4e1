#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "domain/slot.h"
#include "runtime/address.h"
#include "store/redis/cluster_listener.h"

namespace tracker::store::redis {

/// Whether tracker can send a command again to a node of a cluster, or to another one, that was refused with this error. Nothing
/// was executed. Pure.
Elsewhere elsewhere_by(std::string_view error);

/// Reads `MOVED 3999 127.0.0.1:6381`. An empty host is that of the node that says so (Redis Cluster specification, "Redirection
/// and resharding"). Pure.
std::optional<std::pair<domain::Slot, runtime::Address>> target_of(std::string_view error,
                                                                   const std::string& own_host);

}  // namespace tracker::store::redis
