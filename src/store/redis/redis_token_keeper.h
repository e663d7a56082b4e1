#pragma once

#include <memory>
#include <vector>

#include "runtime/address.h"
#include "store/redis/redis_settings.h"
#include "store/token_keeper.h"

namespace tracker::store::redis {

/// A keeper of the tokens of one Redis, or of all that is behind a proxy. `rules.now_s` of the settings is its clock. Connects at
/// once, and again after a connection is lost. Throws StoreError.
///
/// A token that is revoked gets the key of those that have ended, so that a counter of an older version does not find it either.
/// sweep() gives that key to tokens that have expired: until then such a counter counts them. Where the clock has gone back since,
/// it gives the first key back.
///
/// Through a proxy a token keeps its key, because the other one may be at another Redis: an older counter beside this one
/// goes on to count a token that was revoked. sweep() throws UnsupportedError there.
std::unique_ptr<TokenKeeper> redis_token_keeper(const RedisSettings& settings);

/// The same of a Redis Cluster, some of whose nodes are at these addresses. That in the settings is not used. While the slot of a
/// token moves to another node, a token that is revoked keeps its key until the next sweep(), and none comes to life again.
std::unique_ptr<TokenKeeper> cluster_token_keeper(const RedisSettings& settings,
                                                  const std::vector<runtime::Address>& nodes);

}  // namespace tracker::store::redis
