#include "app/counter.h"

#include "app/admin.h"
#include "app/service.h"
#include "counter/local_counter.h"
#include "rpc/counter_door.h"
#include "runtime/log.h"
#include "runtime/workers.h"

namespace tracker::app {

using settings::SettingTable;
using std::chrono_literals::operator""ms;

void add_counter_settings(SettingTable& table, CounterSettings& settings) {
  add_service_settings(table, settings.service, "--counter-addr", "COUNTER_ADDR", {"127.0.0.1", 6381},
                       "Where to listen for gRPC.");
  table.begin_group(SettingTable::Group::addresses);
  table.add_switch(
      "--insecure", settings.insecure, "Allows listening off loopback, although the link has no TLS.",
      SettingTable::Condition{"a --counter-addr off loopback",
                              [&settings] { return is_off_loopback(settings.service.address); }});
  settings.store.add_settings(table, "redis");
  table.begin_group(SettingTable::Group::deadlines);
  table.add_duration("--request-deadline", settings.request_deadline, 1ms,
                     "How long a call waits for its count, and how long Redis may be silent.");
  table.begin_group(SettingTable::Group::limits);
  table.add_count("--hits-max", settings.hits_max, 1, 100'000'000,
                  "The number of hits and mints in flight, of all callers.");
  add_port_settings(table, settings.port);
}

void run_counter(const CounterSettings& settings) {
  require_different_addresses(settings.service);
  require_loopback("--counter-addr", settings.service.address, settings.insecure);
  prepare_service(settings.service);
  const std::size_t descriptors = raise_descriptor_limit();
  boost::asio::io_context control(1);
  const auto workers = make_workers(settings.service.threads);
  const auto open_store = settings.store.open(workers->context(0), settings.request_deadline);
  const auto admin_door = open_admin_door(open_store);
  ConnectionBudget connections = wanted_connections(settings.port);
  const auto few_descriptors = fit_connections(
      connections, descriptors, reserved_descriptors(settings.service.threads, open_store.files_max));
  counter::LocalCounter counter(*open_store.store);
  auto server = server_settings(settings.port, connections);
  server.hits_max = settings.hits_max;
  server.request_deadline = settings.request_deadline;
  rpc::CounterDoor door = listening("--counter-addr", settings.service.address, [&] {
    return rpc::CounterDoor(control, workers->contexts(), settings.service.address, counter, server);
  });
  const runtime::StopAtEnd stop_at_end(*workers);
  run_service(control, settings.service, listening_text("counter", door.endpoints()),
              [&] {
                if (few_descriptors) runtime::log_warning(*few_descriptors);
                log_note(open_store);
                start_workers(*workers);
                if (open_store.wait_for_first_attempt) open_store.wait_for_first_attempt();
              },
              {.readiness = counter.readiness(),
               .unready_in_public = open_store.unready_in_public,
               .announce_end = [&] { door.announce_end(); },
               .drain =
                   [&](std::function<void()> drained) {
                     door.drain(settings.service.drain.limit,
                                draining_last(admin_door.get(), std::move(drained)));
                   },
               .reread = open_store.reread});
  workers->stop();  // before the log says "drained"
  runtime::log_info("drained");
}

}  // namespace tracker::app
