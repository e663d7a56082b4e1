#include "store/redis/redis_handshake.h"

#include "store/redis/redis_error.h"

namespace tracker::store::redis {

namespace {
constexpr std::size_t beginning_bytes = 32;
constexpr const char* cannot_be_used = "cannot be used: ";
}  // namespace

RedisHandshake::State RedisHandshake::take(std::string_view bytes, bool make_sense) {
  if (beginning_.size() < beginning_bytes) beginning_ += bytes.substr(0, beginning_bytes);
  if (make_sense && pipeline_.is_waiting()) return State::under_way;
  if (make_sense || !pipeline_.unfit().empty()) {
    why_not_ = why_unfit(pipeline_, durability_, true).value_or("");
  } else {
    why_not_ = cannot_be_used + explain_stranger(beginning_);
  }
  return why_not_.empty() ? State::fit : State::unfit;
}

std::string RedisHandshake::explain_end(const std::string& how) const {
  return beginning_.empty() ? explain_silent_end(how) : how;
}

std::optional<std::string> why_unfit(RedisPipeline& pipeline, DurabilityWatch& durability,
                                     bool on_connecting) {
  if (!pipeline.unfit().empty()) return cannot_be_used + pipeline.unfit();
  if (!pipeline.has_looked()) return std::nullopt;
  const auto shortfall = durability.conclude(pipeline.take_look(), on_connecting);
  if (!shortfall) return std::nullopt;
  return "keeps less than --require-durability asks: " + *shortfall;
}

}  // namespace tracker::store::redis
