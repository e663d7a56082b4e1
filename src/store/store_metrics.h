#pragma once

#include <cstdint>
#include <string>

#include "metrics/histogram.h"
#include "metrics/page.h"

namespace tracker::store {

// What several stores report, under one name.

/// What the commits of this kind of store took, and how many hits each had.
inline void report_commits(metrics::Page& page, const std::string& store, const metrics::Durations& durations,
                           const metrics::Sizes& hits) {
  page.histogram("tracker_commit_duration_seconds",
                 "Time of one commit: a write to the disk, with its sync; or a round trip to Redis.",
                 {{"store", store}}, durations);
  page.histogram("tracker_commit_hits", "Hits in one commit.", {{"store", store}}, hits);
}

inline void report_tokens(metrics::Page& page, std::uint64_t tokens) {
  page.gauge("tracker_store_tokens", "Tokens in the store.", {}, static_cast<double>(tokens));
}

}  // namespace tracker::store
