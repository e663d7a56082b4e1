#include "app/envoy_service.h"

#include <boost/asio/post.hpp>
#include <system_error>

#include "app/descriptor_budget.h"
#include "app/service.h"
#include "envoy/envoy.h"
#include "runtime/line_file.h"
#include "runtime/listener.h"
#include "runtime/log.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"

namespace tracker::app {

using tracker::settings::StartupError;

namespace {
constexpr std::size_t access_log_bytes_max = 8 * 1024 * 1024;  // that wait to be written
}

std::unique_ptr<runtime::LineFile> open_access_log(const envoy::EnvoySettings& settings) {
  const auto& path = settings.access_log.path;
  if (path.empty()) return nullptr;
  try {
    return std::make_unique<runtime::LineFile>(path, "--access-log", access_log_bytes_max);
  } catch (const std::system_error& error) {
    throw StartupError(StartupError::refused_by_the_machine,
                       "--access-log: " + tracker::settings::shown(path) + ": " + error.code().message() +
                           "; name a file that this user may write");
  }
}

void run_envoy(runtime::Workers& workers, const ServiceSettings& service, envoy::EnvoySettings settings,
               const EnvoyParts& parts) {
  ConnectionBudget budget = parts.counter_connections;
  budget.http = settings.connections_max;
  budget.http_refused = settings.refused_connections_max;
  const auto other_files = parts.store_files + (parts.self ? parts.self->descriptors_max() : 0);
  const auto few_descriptors =
      fit_connections(budget, raise_descriptor_limit(), reserved_descriptors(service.threads, other_files));
  settings.connections_max = budget.http;
  settings.refused_connections_max = budget.http_refused;
  settings.access_log.file = parts.access_log.get();
  settings.access_log.format = service.log.format;
  boost::asio::io_context control(1);
  envoy::Envoy envoy = listening(service.address_flag, service.address, [&] {
    return envoy::Envoy(workers, service.address, settings, parts.counter_of);
  });
  const auto counter_door = parts.open_counter_door ? parts.open_counter_door(control, budget) : nullptr;
  const auto report_doors = [&](metrics::Page& page) {
    envoy.report(page, parts.behind);
    if (counter_door) counter_door->report(page);
  };
  const auto admin = parts.open_admin_door ? parts.open_admin_door(report_doors) : OpenAdminDoor();
  const auto start = [&] {
    start_workers(workers);
    if (few_descriptors) runtime::log_warning(*few_descriptors);
    parts.on_start();
    if (parts.on_running) parts.on_running();
    if (parts.self) parts.self->start();
    envoy.start();
  };
  const auto drain = [&](const std::function<void()>& all_drained) {
    const auto when_self_is_drained = [&, drained = draining_last(admin.door.get(), all_drained)] {
      if (!counter_door) return drained();
      boost::asio::post(control, [&, drained] { counter_door->drain(service.drain.limit, drained); });
    };
    envoy.drain([&, when_self_is_drained] {
      if (!parts.self) return when_self_is_drained();
      parts.self->drain(when_self_is_drained);
    });
  };
  std::vector<ListeningDoor> doors{{"envoy", envoy.endpoints()}};
  if (counter_door) doors.push_back({"counter", counter_door->endpoints()});
  if (parts.self) doors.push_back({"self", parts.self->endpoints()});
  const auto announce_end = [&] {
    if (counter_door) counter_door->announce_end();
  };
  std::function<void()> reopen;
  if (parts.access_log && settings.access_log.path != "-") reopen = [&] { parts.access_log->reopen(); };
  const auto report = [&](metrics::Page& page) {
    report_doors(page);
    parts.report_behind(page);
  };
  const runtime::StopAtEnd stop_at_end(workers);
  run_service(control, service, std::move(doors), start,
              {.readiness = parts.readiness,
               .unready_in_public = parts.unready_in_public,
               .announce_end = announce_end,
               .drain = drain,
               .report = report,
               .reread = both(both(parts.reread, admin.reread), reopen)});
}

}  // namespace tracker::app
