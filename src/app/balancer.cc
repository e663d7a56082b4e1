#include "app/balancer.h"

#include "app/remote_maker.h"
#include "app/service.h"
#include "balancer/balancer.h"
#include "rpc/counter_door.h"
#include "runtime/log.h"
#include "runtime/workers.h"

namespace tracker::app {

using settings::SettingTable;

void add_balancer_settings(SettingTable& table, BalancerSettings& settings) {
  add_service_settings(table, settings.service, "--balancer-addr", "BALANCER_ADDR", {"127.0.0.1", 6385},
                       "Where to listen for gRPC.");
  table.begin_group(SettingTable::Group::addresses);
  add_insecure_setting(table, settings.insecure, "--balancer-addr", settings.service.address);
  add_counters_setting(table, settings.counters, false);
  table.begin_group(SettingTable::Group::limits);
  add_port_settings(table, settings.port);
}

void run_balancer(const BalancerSettings& settings) {
  require_different_addresses(settings.service);
  require_loopback("--balancer-addr", settings.service.address, settings.insecure);
  const auto list = read_list(settings.counters);
  prepare_service(settings.service);
  const std::size_t descriptors = raise_descriptor_limit();
  boost::asio::io_context control(1);
  const auto workers = make_workers(settings.service.threads);
  ConnectionBudget connections = wanted_connections(settings.port);
  const auto few_descriptors =
      fit_connections(connections, descriptors, reserved_descriptors(settings.service.threads, 0));
  RemoteMaker remotes(control);
  balancer::Balancer balancer(control, list, [&](const auto& entry) { return remotes.make(entry); });
  auto server = server_settings(settings.port, connections);
  server.interface = rpc::PublicInterface::route_lookup;
  rpc::CounterDoor door = listening("--balancer-addr", settings.service.address, [&] {
    return rpc::CounterDoor(control, workers->contexts(), settings.service.address, balancer, server);
  });
  const runtime::StopAtEnd stop_at_end(*workers);
  run_service(
      control, settings.service, listening_text("balancer", door.endpoints()),
      [&] {
        if (few_descriptors) runtime::log_warning(*few_descriptors);
        start_workers(*workers);
      },
      {.readiness = balancer.readiness(),
       .unready_in_public = "its list of counters is outdated",
       .announce_end = [&] { door.announce_end(); },
       .drain = [&](std::function<void()> drained) { door.drain(settings.service.drain.limit, drained); },
       .reread = list_reread(settings.counters,
                             [&](const counter::CounterListPtr& changed) { balancer.adopt(changed); })});
  workers->stop();  // before the log says "drained"
  runtime::log_info("drained");
}

}  // namespace tracker::app
