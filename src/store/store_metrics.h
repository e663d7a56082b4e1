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

/// `tokens_max`: 0 means any number.
inline void report_tokens(metrics::Page& page, std::uint64_t tokens, std::uint64_t tokens_max) {
  page.gauge("tracker_store_tokens", "Tokens in the store. Of Redis, keys of the database.", {},
             static_cast<double>(tokens));
  if (tokens_max == 0) return;
  page.gauge("tracker_store_tokens_limit", "--tokens-max.", {}, static_cast<double>(tokens_max));
}

}  // namespace tracker::store
