#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "runtime/address.h"
#include "store/count_reader.h"
#include "store/redis/redis_settings.h"

namespace tracker::store::redis {

/// How many ids one pass over all keys keeps for a list: 3 MB of them, and three times as many while it ends.
inline constexpr std::size_t ids_of_a_list = 200'000;

/// A reader of one Redis, or of all that is behind a proxy, where it lists nothing. Connects at once, and again after a
/// connection is lost. Throws StoreError.
///
/// A list that goes on within a minute, and from where it ended, knows the ids already. Tokens that were minted, or ended, meanwhile
/// may then be missed; no count is. A page of one token's counts takes one pass over all its paths.
std::unique_ptr<CountReader> redis_count_reader(const RedisSettings& settings,
                                                std::size_t ids_max = ids_of_a_list);

/// The same of a Redis Cluster, some of whose nodes are at these addresses. That in the settings is not used.
std::unique_ptr<CountReader> cluster_count_reader(const RedisSettings& settings,
                                                  const std::vector<runtime::Address>& nodes,
                                                  std::size_t ids_max = ids_of_a_list);

}  // namespace tracker::store::redis
