#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "runtime/address.h"
#include "store/redis/redis_settings.h"
#include "store/store_contents.h"

namespace tracker::store::redis {

/// How many ids one pass over all keys keeps in memory.
inline constexpr std::size_t ids_of_a_pass = 500'000;

/// The contents of one Redis. Connects at once. Throws StoreError.
std::unique_ptr<StoreContents> redis_contents(const RedisSettings& settings,
                                              std::size_t ids_max = ids_of_a_pass);

/// The contents of a Redis Cluster, some of whose nodes are at these addresses. That in the settings is not used. Asks for
/// all masters at once. Throws StoreError.
std::unique_ptr<StoreContents> cluster_contents(const RedisSettings& settings,
                                                const std::vector<runtime::Address>& nodes,
                                                std::size_t ids_max = ids_of_a_pass);

}  // namespace tracker::store::redis
