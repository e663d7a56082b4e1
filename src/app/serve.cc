#include "app/serve.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/admin.h"
#include "app/busiest_watch.h"
#include "app/envoy_service.h"
#include "app/self_service.h"
#include "app/service.h"
#include "app/token_sweep.h"
#include "counter/local_counter.h"
#include "rpc/counter_door.h"
#include "runtime/log.h"

namespace tracker::app {

using settings::SettingTable;

void add_serve_settings(SettingTable& table, ServeSettings& settings) {
  add_service_settings(table, settings.service, "--envoy-addr", "ENVOY_ADDR", {"127.0.0.1", 6380},
                       "Where to listen for HTTP.");
  table.begin_group(SettingTable::Group::addresses);
  table.add_address("--counter-addr", "COUNTER_ADDR", settings.counter_addr,
                    "Where to listen for gRPC as well.", "none: it does not");
  table.add_switch("--insecure", settings.insecure, "Allows gRPC off loopback, although the link has no TLS.",
                   SettingTable::Condition{"a --counter-addr off loopback", [&settings] {
                                             return settings.counter_addr &&
                                                    is_off_loopback(*settings.counter_addr);
                                           }});
  settings.store.add_settings(table, store_on_disk);
  add_token_settings(table, settings.tokens);
  add_port_settings(table, settings.port, SettingTable::Condition{"--counter-addr", [&settings] {
                                                                    return settings.counter_addr.has_value();
                                                                  }});
  add_envoy_settings(table, settings.envoy);
  add_self_settings(table, settings.self);
  add_admin_settings(table, settings.admin);
}

void serve(const ServeSettings& settings) {
  std::vector<FlagAndAddress> more_addresses;
  if (settings.counter_addr) more_addresses.emplace_back("--counter-addr", *settings.counter_addr);
  if (settings.self.address) more_addresses.emplace_back("--self-addr", *settings.self.address);
  require_different_addresses(settings.service, more_addresses);
  if (settings.counter_addr) require_loopback("--counter-addr", *settings.counter_addr, settings.insecure);
  prepare_service(settings.service, more_addresses);
  auto access_log = open_access_log(settings.envoy);
  const auto workers = make_workers(settings.service.threads);
  const auto rules = token_rules(settings.tokens);
  const auto terms = token_terms(settings.tokens, rules);
  const auto open_store = settings.store.open(workers->context(0), settings.envoy.request_deadline, rules);
  require_whole_store(open_store);
  const auto watch = watch_busiest(open_store, settings.admin, workers->count());
  counter::LocalCounter counter(*open_store.store, make_read_queue(open_store, terms), terms);
  if (watch) counter.watch_by(watch->busiest());
  const auto self = make_self_service(
      settings.self, settings.envoy.request_deadline, [&](boost::asio::io_context& /*loop*/) {
        return std::make_unique<counter::LocalCounter>(*open_store.store, make_read_queue(open_store, terms));
      });
  const auto sweep = start_sweep(open_store, settings.tokens, rules, nullptr);
  run_envoy(
      *workers, settings.service, settings.envoy,
      {.counter_of = [&](std::size_t) -> counter::Counter& { return counter; },
       .readiness = counter.readiness(),
       .unready_in_public = open_store.unready_in_public,
       .store_files = open_store.files_max,
       .counter_connections = settings.counter_addr ? wanted_connections(settings.port) : ConnectionBudget{},
       .open_counter_door = [&](boost::asio::io_context& control,
                                const ConnectionBudget& budget) -> std::unique_ptr<rpc::CounterDoor> {
         if (!settings.counter_addr) return nullptr;
         auto server = server_settings(settings.port, budget);
         server.hits_max = settings.envoy.hits_max;
         server.request_deadline = settings.envoy.request_deadline;
         return listening("--counter-addr", *settings.counter_addr, [&] {
           return std::make_unique<rpc::CounterDoor>(control, workers->contexts(), *settings.counter_addr,
                                                     counter, server);
         });
       },
       .open_admin_door =
           [&](std::function<void(metrics::Page & page)> report) {
             return open_admin_door(open_store, settings.admin,
                                    {.service = "serve",
                                     .store = settings.store.text(),
                                     .readiness = &counter.readiness(),
                                     .report = std::move(report),
                                     .minter = &counter,
                                     .terms = terms,
                                     .busiest = watch ? &watch->busiest() : nullptr});
           },
       .self = self.get(),
       .on_start = [&] { log_note(open_store); },
       .on_running = open_store.wait_for_first_attempt,
       .reread = open_store.reread,
       .access_log = std::move(access_log),
       .behind = metrics::Batches::Behind::store,
       .report_behind =
           [&](metrics::Page& page) {
             open_store.store->report(page);
             if (sweep) sweep->report(page);
           }});
  runtime::log_info("drained");
}

}  // namespace tracker::app
