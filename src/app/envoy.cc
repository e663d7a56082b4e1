#include "app/envoy.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "app/envoy_counters.h"
#include "app/envoy_service.h"
#include "app/self_service.h"
#include "app/service.h"
#include "app/table_watch.h"
#include "runtime/log.h"
#include "store/readiness.h"

namespace tracker::app {

using settings::SettingTable;

namespace {
constexpr const char* default_counter = "127.0.0.1:6381";
}

void add_envoy_command_settings(SettingTable& table, EnvoyCommandSettings& settings) {
  add_service_settings(table, settings.service, "--envoy-addr", "ENVOY_ADDR", {"127.0.0.1", 6380},
                       "Where to listen for HTTP.");
  table.begin_group(SettingTable::Group::addresses);
  table.add({"--counter-addr", "COUNTER_ADDR",
             "The counter to ask: host:port. Or the counters among which the tokens are partitioned: "
             "name=host:port,name=host:port,... Or lookup://host:port of a balancer, which knows them.",
             default_counter, "host:port, a list of name=host:port, or lookup://host:port of a balancer",
             [&settings](std::string_view text) { return take_list(settings.counters, text); }, "ADDRESSES",
             without(table, "--counters-file")});
  add_list_settings(table, settings.counters);
  add_envoy_settings(table, settings.envoy);
  add_self_settings(table, settings.self);
}

void run_envoy_command(const EnvoyCommandSettings& settings) {
  std::vector<FlagAndAddress> more_addresses;
  if (settings.self.address) more_addresses.emplace_back("--self-addr", *settings.self.address);
  require_different_addresses(settings.service, more_addresses);
  prepare_service(settings.service, more_addresses);
  auto access_log = open_access_log(settings.envoy);
  auto its = settings.counters;
  if (!its.is_given()) its.text = default_counter;
  const auto list = read_list(its);
  const auto workers = make_workers(settings.service.threads);
  EnvoyCountersLog log;
  std::vector<std::unique_ptr<EnvoyCounters>> counters;
  std::vector<const store::ReadinessSource*> sources;
  for (std::size_t worker = 0; worker < workers->count(); ++worker) {
    counters.push_back(std::make_unique<EnvoyCounters>(workers->context(worker), list, log));
    sources.push_back(&counters.back()->readiness());
  }
  const store::JointReadiness joint(std::move(sources));
  EnvoyCounters* counters_of_self = nullptr;
  const auto self =
      make_self_service(settings.self, settings.envoy.request_deadline, [&](boost::asio::io_context& loop) {
        auto its_counters = std::make_unique<EnvoyCounters>(loop, list, log);
        counters_of_self = its_counters.get();
        return its_counters;
      });
  const auto adopt = [&](const counter::CounterListPtr& changed) {
    for (const auto& counter : counters) counter->adopt(changed);
    if (counters_of_self != nullptr) counters_of_self->adopt(changed);
  };
  std::optional<TableWatch> watch;
  if (!list) watch.emplace(workers->context(0), its.balancers, adopt);
  run_envoy(*workers, settings.service, settings.envoy,
            {.counter_of = [&](std::size_t worker) -> counter::Counter& { return *counters[worker]; },
             .readiness = joint.readiness(),
             .unready_in_public = "a counter is not reachable, or not ready",
             .open_counter_door = nullptr,
             .self = self.get(),
             .on_start = [] {},
             .on_running = nullptr,
             .reread = list_reread(its, adopt),
             .access_log = std::move(access_log),
             .behind = metrics::Batches::Behind::counters,
             .report_behind =
                 [&](metrics::Page& page) {
                   for (const auto& counter : counters) counter->report(page);
                   if (watch) watch->report(page);
                 }});
  runtime::log_info("drained");
}

}  // namespace tracker::app
