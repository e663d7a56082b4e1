#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "runtime/log.h"
#include "store/redis/redis_durability.h"
#include "store/redis/redis_store.h"

namespace tracker::store {

/// Follows what one Redis may lose: asks it, tells the log whenever the answer has changed, and judges whether
/// it is enough. Belongs to the connection's thread.
class DurabilityWatch {
 public:
  explicit DurabilityWatch(const RedisSettings& settings);

  /// Begins a look: appends the questions, and answers how many replies take() is to get; none through a proxy,
  /// which would answer for itself.
  std::size_t ask(std::string& out);
  void take(const redisReply& reply) { asked_.take(reply); }

  /// Call it when all replies are there. Answers why this Redis is refused, or nothing.
  std::optional<std::string> conclude(bool on_connecting);

 private:
  const std::string name_;
  const bool proxy_;
  const bool require_durability_;
  RedisDurability known_;
  RedisDurability asked_;
  runtime::ChangeLog changes_;
};

}  // namespace tracker::store
