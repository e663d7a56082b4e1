#include "envoy/places.h"

#include <netinet/in.h>

#include <algorithm>
#include <cassert>
#include <cstring>

namespace tracker::envoy {

AddressCounts::Key AddressCounts::key_of(const sockaddr_storage& address) noexcept {
  std::array<std::uint8_t, 8> bytes{};
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    std::memcpy(bytes.data(), &v4.sin_addr, sizeof v4.sin_addr);
    return {AF_INET, bytes};
  }
  if (address.ss_family != AF_INET6) return {AF_UNSPEC, bytes};
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address, sizeof v6);
  const std::uint8_t* number = v6.sin6_addr.s6_addr;
  const bool is_v4 = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
  if (is_v4) {
    std::copy_n(number + 12, 4, bytes.begin());
  } else {
    std::copy_n(number, bytes.size(), bytes.begin());
  }
  return {is_v4 ? AF_INET : AF_INET6, bytes};
}

auto AddressCounts::enter(const sockaddr_storage& address, std::size_t max) -> std::optional<Place> {
  assert(max > 0);
  const Key key = key_of(address);
  const std::lock_guard lock(mutex_);
  std::size_t& count = counts_[key];  // 0 for a new address, which is below `max`
  if (count >= max) return std::nullopt;
  ++count;
  return Place(shared_from_this(), key);
}

AddressCounts::Place::~Place() {
  if (counts_ == nullptr) return;
  const std::lock_guard lock(counts_->mutex_);
  const auto count = counts_->counts_.find(key_);
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
