#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "domain/readiness.h"
#include "store/redis/durability_watch.h"
#include "store/redis/redis_pipeline.h"

namespace tracker::store::redis {

/// How a connection to Redis begins: before anything is counted on it, tracker says who it is, and sees whether this Redis
/// would count and what it may lose. Pure: the pipeline's replies in, a judgement out.
class RedisHandshake {
 public:
  enum class State : std::uint8_t { under_way, fit, unfit };

  /// Both outlive it.
  RedisHandshake(RedisPipeline& pipeline, DurabilityWatch& durability)
      : pipeline_(pipeline), durability_(durability) {}

  /// Puts all that there is to say into the pipeline, at once.
  void begin() { pipeline_.greet(); }

  /// These bytes came, and the pipeline has taken the replies in them, as far as they `make_sense`.
  State take(std::string_view bytes, bool make_sense);

  /// Why it is unfit: words that follow its name.
  const std::string& why_not() const { return fitness_.why_not(); }

  /// How the system says that the connection has ended, and what that may mean if Redis had not said a word before.
  std::string explain_end(const std::string& how) const;

 private:
  RedisPipeline& pipeline_;
  DurabilityWatch& durability_;
  std::string beginning_;  // of what came
  domain::Readiness fitness_ = domain::Readiness::ready();
};

/// Whether this Redis can be used, by its replies so far. The reason why not is words that follow its name.
domain::Readiness fitness_of(RedisPipeline& pipeline, DurabilityWatch& durability, bool on_connecting);

}  // namespace tracker::store::redis
