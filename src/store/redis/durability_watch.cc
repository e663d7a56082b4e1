#include "store/redis/durability_watch.h"

#include <utility>

namespace tracker::store::redis {

DurabilityWatch::DurabilityWatch(const RedisSettings& settings)
    : name_("store=redis " + to_string(settings.redis) + ": "),
      proxy_(settings.proxy),
      require_durability_(settings.require_durability) {}

domain::Readiness DurabilityWatch::conclude(RedisDurability said, bool on_connecting) {
  if (proxy_) {
    changes_.bad(name_ + "what a crash of this Redis loses cannot be known, since a proxy stands before it");
    return domain::Readiness::ready();
  }
  said.follow(known_, on_connecting);
  known_ = std::move(said);
  const auto shortfall = known_.shortfall();
  if (shortfall) {
    changes_.bad(name_ + known_.what_a_crash_loses());
  } else {
    changes_.good(name_ + known_.what_a_crash_loses());
  }
  if (!require_durability_ || !shortfall) return domain::Readiness::ready();
  return domain::Readiness::not_ready("keeps less than --require-durability asks: " + *shortfall);
}

}  // namespace tracker::store::redis
