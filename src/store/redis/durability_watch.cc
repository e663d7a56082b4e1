#include "store/redis/durability_watch.h"

#include <utility>

namespace tracker::store {

DurabilityWatch::DurabilityWatch(const RedisSettings& settings)
    : name_("store=redis " + to_string(settings.redis) + ": "),
      proxy_(settings.proxy),
      require_durability_(settings.require_durability) {}

std::size_t DurabilityWatch::ask(std::string& out) {
  asked_ = {};
  if (proxy_) return 0;
  RedisDurability::append_questions(out);
  return RedisDurability::questions;
}

std::optional<std::string> DurabilityWatch::conclude(bool on_connecting) {
  if (proxy_) {
    changes_.bad(name_ + "what a crash of this Redis loses cannot be known, since a proxy stands before it");
    return std::nullopt;
  }
  asked_.follow(known_, on_connecting);
  known_ = std::exchange(asked_, {});
  const auto shortfall = known_.shortfall();
  if (shortfall) {
    changes_.bad(name_ + known_.what_a_crash_loses());
  } else {
    changes_.good(name_ + known_.what_a_crash_loses());
  }
  return require_durability_ ? shortfall : std::nullopt;
}

}  // namespace tracker::store
