#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "domain/readiness.h"
#include "store/redis/durability_watch.h"
#include "store/redis/redis_pipeline.h"

namespace tracker::store::redis {

/// The beginning of a connection to Redis. Before anything is counted on it, tracker logs in, and checks whether this
/// Redis would count and what it may lose. If it is fit, tracker asks which store it is. Pure: the pipeline's replies in, a judgement out.
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
  const std::string& why_not() const { return fitness_.why_not(); }

  /// Returns `how`, the system's words for the end of the connection, and what the end may mean if Redis had not sent a
  /// byte before.
  std::string explain_end(const std::string& how) const;

 private:
  RedisPipeline& pipeline_;
  DurabilityWatch& durability_;
  std::string beginning_;     // of what came
  bool identifying_ = false;  // all but that question is answered
  domain::Readiness fitness_ = domain::Readiness::ready();
};

/// Whether this Redis can be used, according to its replies so far. The reason why not is words that follow its name.
domain::Readiness fitness_of(RedisPipeline& pipeline, DurabilityWatch& durability, bool on_connecting);

}  // namespace tracker::store::redis
