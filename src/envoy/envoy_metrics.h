#pragma once

#include <array>
#include <chrono>

#include "envoy/refusal.h"
#include "metrics/batches.h"
#include "metrics/histogram.h"
#include "metrics/page.h"
#include "metrics/tally.h"
#include "runtime/deadlines.h"

namespace tracker::envoy {

/// What one worker counts of its requests. Its thread writes, any thread reports. It has cache lines of its own, so that
/// no worker slows down another.
class alignas(64) EnvoyMetrics {
 public:
  /// The answers that a client is about to get.
  metrics::Tally counts;
  metrics::Tally tokens;
  metrics::Tally& refusals(Refusal refusal) noexcept { return refusals_[static_cast<std::size_t>(refusal)]; }

  metrics::Tally accepted;                 // connections
  metrics::Tally malformed_proxy_headers;  // each ended a connection
  metrics::Batches batches;

  /// A request whose head was read at `begun` is answered at `now`. Many that began together are observed as one.
  void answered(runtime::Clock::time_point begun, runtime::Clock::time_point now) noexcept {
    if (begun != begun_ || now != now_) observe_requests();
    begun_ = begun;
    now_ = now;
    ++requests_;
  }
  /// The end of a turn: what was answered can be reported.
  void observe_requests() noexcept {
    if (requests_ > 0) durations_.observe(now_ - begun_, requests_);
    requests_ = 0;
  }

  void report(metrics::Page& page, metrics::Batches::Behind behind) const;

 private:
  std::array<metrics::Tally, refusal_count> refusals_;
  metrics::Durations durations_;

  // That were answered and not observed yet.
  std::uint64_t requests_ = 0;
  runtime::Clock::time_point begun_;
  runtime::Clock::time_point now_;
};

}  // namespace tracker::envoy
