#pragma once

#include <cstddef>
#include <mutex>

#include "domain/ip_address.h"
#include "domain/rate_bounds.h"
#include "runtime/deadlines.h"

namespace tracker::envoy {

/// Bounds how often each client gets a token, for all workers of a process. A client is a domain::client_part(). Any thread.
class MintBound {
 public:
  /// As domain::RateBounds.
  MintBound(std::size_t per_second, std::size_t at_once) : bounds_(per_second, at_once, clients_max) {}

  /// Returns how long the client must wait. Zero: it need not, and has asked.
  runtime::Clock::duration ask(const domain::IpAddress& client, runtime::Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    return bounds_.ask(client_part(client).bytes, now);
  }

  static constexpr std::size_t clients_max = 65'536;  // that are remembered: 1.5 MiB

 private:
  std::mutex mutex_;
  domain::RateBounds bounds_;  // mutex_
};

}  // namespace tracker::envoy
