#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

  /// Why it is unfit, as said behind its name.
  const std::string& why_not() const noexcept { return why_not_; }

  /// How the system says that the connection has ended, and what that may mean if Redis had not said a word before.
  std::string explain_end(const std::string& how) const;

 private:
  RedisPipeline& pipeline_;
  DurabilityWatch& durability_;
  std::string beginning_;  // of what came
  std::string why_not_;
};

/// Why this Redis is of no use, as it says itself by its replies so far; said behind its name. Nothing: it can be used.
std::optional<std::string> why_unfit(RedisPipeline& pipeline, DurabilityWatch& durability,
                                     bool on_connecting);

}  // namespace tracker::store::redis
