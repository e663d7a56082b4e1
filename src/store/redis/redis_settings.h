#pragma once

#include <chrono>

#include "store/redis/redis_address.h"

namespace tracker::store::redis {

struct RedisSettings {
  RedisAddress redis;
  /// A Redis that has not replied for this long counts as hung: what was sent is perhaps counted, and a new connection
  /// is made.
  std::chrono::milliseconds reply_deadline{2'000};
  /// A proxy stands before Redis, so Redis is not asked what it may lose.
  bool proxy = false;
  /// Count only while this Redis says that it keeps everything that it has answered.
  bool require_durability = false;
};

}  // namespace tracker::store::redis
