#include "doors/token_rates.h"

#include <algorithm>

namespace tracker::doors {

namespace {
constexpr TokenRates::Clock::duration at_once = std::chrono::seconds(1);
}

TokenRates::TokenRates(std::size_t requests_per_second)
    : pause_(at_once / static_cast<TokenRates::Clock::rep>(requests_per_second)) {}

TokenRates::Clock::duration TokenRates::ask(const domain::TokenId& id, Clock::time_point now) {
  auto& set = sets_[domain::TokenIdHash()(id) % sets_.size()];
  auto entry = std::ranges::find(set, id, &Entry::id);
  if (entry == set.end()) {
    entry = std::ranges::min_element(set, {}, &Entry::even);
    *entry = {id, now};
  }
  const auto even = std::max(entry->even, now);
  const auto wait = even + pause_ - at_once - now;
  if (wait > Clock::duration::zero()) return wait;
  entry->even = even + pause_;
  return Clock::duration::zero();
}

}  // namespace tracker::doors
