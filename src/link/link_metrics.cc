#include "link/link_metrics.h"

namespace tracker::link {

void LinkMetrics::report(metrics::Page& page, const std::string& peer) const {
  const metrics::Labels labels{{"peer", peer}};
  page.gauge("tracker_links", "Links to peers. Each event loop that asks a peer has one.", labels,
             static_cast<double>(links.value()));
  page.gauge("tracker_links_ready", "Links whose peers are reachable and can count.", labels,
             static_cast<double>(ready.value()));
  page.counter("tracker_link_reconnects_total", "Connections of links that took the place of earlier ones.",
               labels, static_cast<double>(reconnects.value()));
  page.counter("tracker_link_connect_failures_total",
               "Attempts of links to connect that failed, or whose greeting did.", labels,
               static_cast<double>(failed_attempts.value()));
}

}  // namespace tracker::link
