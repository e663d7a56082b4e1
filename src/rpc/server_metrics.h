#pragma once

#include <array>

#include "domain/verdict.h"
#include "metrics/batches.h"
#include "metrics/page.h"
#include "metrics/tally.h"
#include "rpc/grpc_protocol.h"

namespace tracker::rpc {

/// What one event loop of the counter's port counts. Its thread writes, any thread reports.
struct alignas(64) ServerMetrics {
  metrics::Tally accepted;  // connections
  metrics::Tally dropped;
  metrics::Tally tokens;                 // that were handed out
  std::array<metrics::Tally, 17> calls;  // of gRPC clients, by StatusCode
  metrics::Batches batches;

  /// Hits by domain::Verdict::Kind.
  using Hits = std::array<metrics::Tally, 5>;
  Hits envoy_hits;
  Hits public_hits;
  void count_call(StatusCode code) noexcept { calls[static_cast<std::size_t>(code)].add(); }

  /// Connections, and calls of gRPC clients.
  void report_port(metrics::Page& page) const;
  /// Hits and tokens.
  void report_counting(metrics::Page& page) const;
};

}  // namespace tracker::rpc
