#pragma once

#include <chrono>
#include <string>

#include "metrics/histogram.h"
#include "metrics/page.h"

namespace tracker::metrics {

/// The batches that one event loop hands on. Its thread observes, any thread reports.
struct Batches {
  Sizes hits;
  Durations durations;  // from handing a batch on to its last verdict

  /// Who gives the verdicts.
  enum class Behind : std::uint8_t { store, counters };
  /// `door` is where the hits came from: `http` or `grpc`.
  void report(Page& page, const std::string& door, Behind behind) const;
};

}  // namespace tracker::metrics
