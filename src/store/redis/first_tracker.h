#pragma once

#include <cstddef>
#include <memory>

#include "store/redis/redis_settings.h"
#include "store/store_contents.h"

namespace tracker::store::redis {

/// How much of the keys one pass over all of them keeps in memory.
inline constexpr std::size_t key_bytes_of_a_pass = std::size_t{64} << 20U;

/// The contents of a Redis of the first tracker. There the key TOKEN has the value `true`, and the key TOKEN_PATH has the
/// count of the path. It is only read: whatever else is asked of it throws StoreError. Each token is of one moment. Connects at
/// once. Throws StoreError.
std::unique_ptr<StoreContents> first_tracker_contents(const RedisSettings& settings,
                                                      std::size_t key_bytes_max = key_bytes_of_a_pass);

}  // namespace tracker::store::redis
