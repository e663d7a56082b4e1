#pragma once

#include <string>

#include "metrics/histogram.h"
#include "metrics/page.h"
#include "metrics/tally.h"

namespace tracker::link {

/// What the links of one loop to one kind of peer count together. The loop's thread writes, any thread reports.
struct alignas(64) LinkMetrics {
  metrics::Level links;  // that ask their peers
  metrics::Level ready;  // whose peers can count
  metrics::Tally reconnects;
  metrics::Tally failed_attempts;
  metrics::Sizes message_hits;
  metrics::Durations round_trips;  // from sending a message of hits to its last verdict

  /// Adds all but the messages. `peer` is the kind.
  void report(metrics::Page& page, const std::string& peer) const;
};

}  // namespace tracker::link
