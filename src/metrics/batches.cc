#include "metrics/batches.h"

namespace tracker::metrics {

void Batches::report(Page& page, const std::string& door, Behind behind) const {
  const Labels labels{{"door", door}};
  page.histogram("tracker_batch_hits", "Hits that one turn of an event loop handed on together.", labels,
                 hits);
  if (behind == Behind::store) {
    page.histogram("tracker_store_duration_seconds",
                   "Time from handing a batch of hits to the store until its last verdict.", labels,
                   durations);
  } else {
    page.histogram("tracker_counters_duration_seconds",
                   "Time from handing a batch of hits to the link with the counters until its last verdict.",
                   labels, durations);
  }
}

}  // namespace tracker::metrics
