#include "domain/rate_bounds.h"

#include <algorithm>
#include <string_view>

namespace tracker::domain {

namespace {
std::string_view text_of(const RateBounds::Key& key) noexcept {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}
}  // namespace

RateBounds::RateBounds(std::size_t per_second, std::size_t at_once, std::size_t keys_max)
    : pause_(Clock::duration(std::chrono::seconds(1)) / static_cast<Clock::rep>(per_second)),
      at_once_(pause_ * static_cast<Clock::rep>(at_once)),
      sets_((keys_max + entries - 1) / entries) {}

RateBounds::Clock::duration RateBounds::ask(const Key& key, Clock::time_point now) {
  auto& set = sets_[hash_(text_of(key)) % sets_.size()];
  auto entry = std::ranges::find(set, key, &Entry::key);
  if (entry == set.end()) {
    entry = std::ranges::min_element(set, {}, &Entry::even);
    *entry = {key, now};
  }
  const auto even = std::max(entry->even, now) + pause_;
  const auto wait = even - at_once_ - now;
  if (wait > Clock::duration::zero()) return wait;
  entry->even = even;
  return Clock::duration::zero();
}

}  // namespace tracker::domain
