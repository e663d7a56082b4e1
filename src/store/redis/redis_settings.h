#pragma once

#include <chrono>

#include "store/redis/redis_address.h"

namespace tracker::store::redis {

struct RedisSettings {
  RedisAddress redis;
  /// A Redis that has not replied for so long is taken for hung: what was sent is perhaps counted, and the
  /// connection is made anew.
  std::chrono::milliseconds reply_deadline{2'000};
  /// A proxy stands before it: it is not asked what it may lose.
  bool proxy = false;
  /// Counts only while this Redis keeps all that it has answered, so far as it says.
  bool require_durability = false;
};

}  // namespace tracker::store::redis
