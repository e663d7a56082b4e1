#include "store/redis/durability_watch.h"

#include <utility>

namespace tracker::store::redis {

DurabilityWatch::DurabilityWatch(const RedisSettings& settings)
    : name_("store=redis " + to_string(settings.redis) + ": "),
      proxy_(settings.proxy),
      require_durability_(settings.require_durability) {}

std::optional<std::string> DurabilityWatch::conclude(RedisDurability said, bool on_connecting) {
  if (proxy_) {
    changes_.bad(name_ + "what a crash of this Redis loses cannot be known, since a proxy stands before it");
    return std::nullopt;
  }
  said.follow(known_, on_connecting);
  known_ = std::move(said);
  const auto shortfall = known_.shortfall();
  if (shortfall) {
    changes_.bad(name_ + known_.what_a_crash_loses());
  } else {
    changes_.good(name_ + known_.what_a_crash_loses());
  }
  return require_durability_ ? shortfall : std::nullopt;
}

}  // namespace tracker::store::redis
