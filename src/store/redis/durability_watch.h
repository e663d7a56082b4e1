#pragma once

#include <string>

#include "domain/readiness.h"
#include "runtime/log.h"
#include "store/redis/redis_durability.h"
#include "store/redis/redis_settings.h"

namespace tracker::store::redis {

/// Follows what one Redis may lose. Logs it whenever it changes, and judges whether it is enough. Belongs to the
/// connection's thread.
class DurabilityWatch {
 public:
  explicit DurabilityWatch(const RedisSettings& settings);

  /// Takes what Redis says now. Through a proxy nothing is asked, because the proxy would answer for itself. Returns
  /// whether this Redis may be used. The reason why not is words that follow its name.
  domain::Readiness conclude(RedisDurability said, bool on_connecting);

 private:
  const std::string name_;
  const bool proxy_;
  const bool only_views_;
  const bool require_durability_;
  const std::size_t replicas_;
  RedisDurability known_;
  runtime::ChangeLog changes_;
};

}  // namespace tracker::store::redis
