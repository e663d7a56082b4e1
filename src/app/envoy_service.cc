#include "app/envoy_service.h"

#include <boost/asio/post.hpp>

#include "app/admin.h"
#include "app/descriptor_budget.h"
#include "app/service.h"
#include "envoy/envoy.h"
#include "runtime/listener.h"
#include "runtime/log.h"

namespace tracker::app {

void run_envoy(runtime::Workers& workers, const ServiceSettings& service, envoy::EnvoySettings settings,
               const EnvoyParts& parts) {
  ConnectionBudget budget = parts.counter_connections;
  budget.http = settings.connections_max;
  budget.http_refused = settings.refused_connections_max;
  const auto few_descriptors = fit_connections(budget, raise_descriptor_limit(),
                                               reserved_descriptors(service.threads, parts.store_files));
  settings.connections_max = budget.http;
  settings.refused_connections_max = budget.http_refused;
  boost::asio::io_context control(1);
  envoy::Envoy envoy = listening(service.address_flag, service.address, [&] {
    return envoy::Envoy(workers, service.address, settings, parts.counter_of);
  });
  const auto counter_door = parts.open_counter_door ? parts.open_counter_door(control, budget) : nullptr;
  const auto start = [&] {
    start_workers(workers);
    if (few_descriptors) runtime::log_warning(*few_descriptors);
    parts.on_start();
    if (parts.on_running) parts.on_running();
    envoy.start();
  };
  const auto drain = [&](const std::function<void()>& all_drained) {
    envoy.drain([&, drained = draining_last(parts.admin_door, all_drained)] {
      if (!counter_door) return drained();
      boost::asio::post(control, [&, drained] { counter_door->drain(service.drain.limit, drained); });
    });
  };
  const std::string endpoints =
      listening_text("envoy", envoy.endpoints()) +
      (counter_door ? " " + listening_text("counter", counter_door->endpoints()) : "");
  const auto announce_end = [&] {
    if (counter_door) counter_door->announce_end();
  };
  const auto report = [&](metrics::Page& page) {
    envoy.report(page, parts.behind);
    if (counter_door) counter_door->report(page);
    parts.report_behind(page);
  };
  const runtime::StopAtEnd stop_at_end(workers);
  run_service(control, service, endpoints, start,
              {.readiness = parts.readiness,
               .unready_in_public = parts.unready_in_public,
               .announce_end = announce_end,
               .drain = drain,
               .report = report,
               .reread = parts.reread});
}

}  // namespace tracker::app
