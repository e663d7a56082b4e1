#include "store/redis/durability_watch.h"

#include <utility>

namespace tracker::store::redis {

DurabilityWatch::DurabilityWatch(const RedisSettings& settings)
    : name_("store=redis " + to_string(settings.redis) + ": "),
      proxy_(settings.proxy),
      only_views_(settings.only_views),
      require_durability_(settings.require_durability),
      replicas_(settings.replicas) {}

domain::Readiness DurabilityWatch::conclude(RedisDurability said, bool on_connecting) {
  if (only_views_) return domain::Readiness::ready();
  if (proxy_) {
    changes_.bad(name_ + "what a crash of this Redis loses cannot be known, since a proxy stands before it");
    return domain::Readiness::ready();
  }
  said.follow(known_, on_connecting);
  known_ = std::move(said);
  const auto shortfall = known_.shortfall();
  const auto losses = name_ + known_.what_a_crash_loses() + known_.what_a_failover_loses(replicas_);
  if (shortfall) {
    changes_.bad(losses);
  } else {
    changes_.good(losses);
  }
  if (const auto online = known_.online_replicas(); online && *online < replicas_) {
    return domain::Readiness::not_ready("has " + std::to_string(*online) + " of the " +
                                        std::to_string(replicas_) +
                                        " replicas that --redis-replicas asks for");
  }
  if (!require_durability_ || !shortfall) return domain::Readiness::ready();
  return domain::Readiness::not_ready("keeps less than --require-durability asks: " + *shortfall);
}

}  // namespace tracker::store::redis
