#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/redis/durability_watch.h"
#include "store/redis/redis_pipeline.h"

namespace tracker::store::redis {

/// The beginning of a connection to Redis. Before anything is counted on it, tracker logs in, and checks whether this
/// Redis would count and what it may lose. Pure: the pipeline's replies in, a judgement out.
class RedisHandshake {
 public:
  enum class State : std::uint8_t { under_way, fit, unfit };

  /// `pipeline` and `durability` must outlive it.
  RedisHandshake(RedisPipeline& pipeline, DurabilityWatch& durability)
      : pipeline_(pipeline), durability_(durability) {}

  /// Puts all questions into the pipeline at once.
  void begin() { pipeline_.greet(); }

  /// Call this after `bytes` came and the pipeline has taken the replies in them, up to the first that does not
  /// `make_sense`.
  State take(std::string_view bytes, bool make_sense);

  /// Why this Redis is unfit. The words follow its name.
  const std::string& why_not() const noexcept { return why_not_; }

  /// Returns `how`, the system's words for the end of the connection, and what the end may mean if Redis had not sent a
  /// byte before.
  std::string explain_end(const std::string& how) const;

 private:
  RedisPipeline& pipeline_;
  DurabilityWatch& durability_;
  std::string beginning_;  // of what came
  std::string why_not_;
};

/// Returns why this Redis is of no use according to its replies so far, or nothing if it can be used. The words follow
/// its name.
std::optional<std::string> why_unfit(RedisPipeline& pipeline, DurabilityWatch& durability,
                                     bool on_connecting);

}  // namespace tracker::store::redis
