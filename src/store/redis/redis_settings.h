#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "store/redis/redis_address.h"
#include "store/token_rules.h"

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
  TokenRules rules = {};
};

/// Whether `rules.tokens_max` has an effect. Each master of a cluster has an equal share of it. The keys of the database are
/// compared with that in the step that mints, so any number of counters with the same rules never exceed it. Keys of others
/// count, too, and so do a few of tracker's own. Through a proxy nobody knows how many Redis there are.
inline bool can_bound_tokens(const RedisSettings& settings) {
  return !settings.proxy;
}

}  // namespace tracker::store::redis
