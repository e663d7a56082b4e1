#include "store/redis/redis_handshake.h"

#include <utility>

#include "store/redis/redis_error.h"

namespace tracker::store::redis {

namespace {
constexpr std::size_t beginning_bytes = 32;
constexpr const char* cannot_be_used = "cannot be used: ";
}  // namespace

RedisHandshake::State RedisHandshake::take(std::string_view bytes, bool make_sense) {
  if (beginning_.size() < beginning_bytes) beginning_ += bytes.substr(0, beginning_bytes);
  if (make_sense && pipeline_.is_waiting()) return State::under_way;
  if (make_sense || !pipeline_.fitness().is_ready()) {
    fitness_ = fitness_of(pipeline_, durability_, true);
  } else {
    fitness_ = domain::Readiness::not_ready(cannot_be_used + explain_stranger(beginning_));
  }
  if (!fitness_.is_ready()) return State::unfit;
  if (!std::exchange(identifying_, true)) pipeline_.identify();
  return pipeline_.is_waiting() ? State::under_way : State::fit;
}

std::string RedisHandshake::explain_end(const std::string& how) const {
  return beginning_.empty() ? explain_silent_end(how) : how;
}

domain::Readiness fitness_of(RedisPipeline& pipeline, DurabilityWatch& durability, bool on_connecting) {
  const auto& fitness = pipeline.fitness();
  if (!fitness.is_ready()) return domain::Readiness::not_ready(cannot_be_used + fitness.why_not());
  if (!pipeline.has_looked()) return fitness;
  return durability.conclude(pipeline.take_look(), on_connecting);
}

}  // namespace tracker::store::redis
