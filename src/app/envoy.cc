#include "app/envoy.h"

#include <memory>
#include <vector>

#include "app/envoy_service.h"
#include "app/service.h"
#include "rpc/remote_counter.h"
#include "runtime/log.h"
#include "store/readiness.h"

namespace tracker::app {

using settings::SettingTable;

void add_envoy_command_settings(SettingTable& table, EnvoyCommandSettings& settings) {
  add_service_settings(table, settings.service, "--envoy-addr", "ENVOY_ADDR", {"127.0.0.1", 6380},
                       "Where to listen for HTTP.");
  table.begin_group(SettingTable::Group::addresses);
  table.add({"--counter-addr", "COUNTER_ADDR", "The counter to ask.", to_string(settings.counter_addr),
             "host:port or [v6]:port of one counter (lists and lookup:// are not built yet)",
             [&settings](std::string_view text) {
               const auto address = runtime::parse_address(text);
               if (!address || address->host.empty() || address->port == 0) return false;
               settings.counter_addr = *address;
               return true;
             },
             "ADDRESS"});
  add_envoy_settings(table, settings.envoy);
}

void run_envoy_command(const EnvoyCommandSettings& settings) {
  require_different_addresses(settings.service);
  prepare_service(settings.service);
  const auto workers = make_workers(settings.service.threads);
  runtime::ChangeLog changes;
  std::vector<std::unique_ptr<rpc::RemoteCounter>> counters;
  for (std::size_t worker = 0; worker < workers->count(); ++worker) {
    counters.push_back(std::make_unique<rpc::RemoteCounter>(
        workers->context(worker),
        rpc::RemoteCounterSettings{
            .address = settings.counter_addr, .version = TRACKER_VERSION, .changes = &changes}));
  }
  std::vector<const store::ReadinessSource*> sources;
  for (const auto& counter : counters) sources.push_back(&counter->readiness());
  const store::JointReadiness joint(std::move(sources));
  run_envoy(*workers, settings.service, settings.envoy,
            {.counter_of = [&](std::size_t worker) -> counter::Counter& { return *counters[worker]; },
             .readiness = joint.readiness(),
             .unready_in_public = "a counter is not reachable, or not ready",
             .open_counter_door = nullptr,
             .admin_door = nullptr,
             .on_start = [] {},
             .on_running = nullptr});
  runtime::log_info("drained");
}

}  // namespace tracker::app
