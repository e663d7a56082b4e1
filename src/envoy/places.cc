#include "envoy/places.h"

#include <algorithm>
#include <cassert>

namespace tracker::envoy {

auto AddressCounts::enter(const domain::IpAddress& address, std::size_t max) -> std::optional<Place> {
  assert(max > 0);
  const auto client = domain::client_part(address);
  const std::lock_guard lock(mutex_);
  std::size_t& count = counts_[client];  // 0 for a new address, which is below `max`
  if (count >= max) return std::nullopt;
  ++count;
  return Place(shared_from_this(), client);
}

AddressCounts::Place::~Place() {
  if (counts_ == nullptr) return;
  const std::lock_guard lock(counts_->mutex_);
  const auto count = counts_->counts_.find(client_);
  assert(count != counts_->counts_.end() && count->second > 0);
  if (--count->second == 0) counts_->counts_.erase(count);
}

std::optional<Claim> best_claim(const LongestWaiting& waiting, runtime::Clock::time_point now,
                                runtime::Clock::duration active_for, const std::optional<Claim>& after) {
  const auto idle = waiting.idle.load(std::memory_order_relaxed);
  const auto head = waiting.head.load(std::memory_order_relaxed);
  std::optional<Claim> best;
  const auto offer = [&](Claim claim, runtime::Clock::duration wait) {
    if (claim.since > now - wait || (after && claim <= *after)) return;
    best = std::min(best.value_or(claim), claim);
  };
  offer({Claim::Kind::long_idle, idle}, Claim::long_wait);
  offer({Claim::Kind::late_head, head}, Claim::long_wait);
  if (idle > now - Claim::long_wait) offer({Claim::Kind::idle, idle}, active_for);
  return best;
}

}  // namespace tracker::envoy
