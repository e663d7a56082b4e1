#pragma once

#include "metrics/page.h"

namespace tracker::metrics {

/// Adds what Linux says of this process, under the names that all client libraries of Prometheus use. What cannot be
/// read is left out.
void report_process(Page& page);

}  // namespace tracker::metrics
