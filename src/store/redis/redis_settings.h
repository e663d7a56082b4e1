#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "store/redis/redis_address.h"

namespace tracker::store::redis {

struct RedisSettings {
  RedisAddress redis;
  /// A Redis that has not replied for this long counts as hung: what was sent is perhaps counted, and a new connection
  /// is made.
  std::chrono::milliseconds reply_deadline{2'000};
  /// A proxy stands before several Redis. It is sent nothing but PING, calls of the script, and what reads counts, each with
  /// the key of one token.
  bool proxy = false;
  /// What the operator calls all that is behind the proxy: one name means one store. Empty: it is not known which store
  /// that is.
  std::string store_name = {};
  /// Count only while this Redis says that it keeps everything that it has answered.
  bool require_durability = false;
  /// Counts and tokens are answered once this many replicas have received them. 0: replicas are not waited for.
  std::size_t replicas = 0;
  /// A node of a cluster is only asked for its view of the cluster. Nothing is counted.
  bool only_views = false;
};

}  // namespace tracker::store::redis
