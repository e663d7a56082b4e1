#include "app/balancer.h"

#include <list>
#include <memory>

#include "app/service.h"
#include "balancer/balancer.h"
#include "rpc/counter_door.h"
#include "rpc/remote_counter.h"
#include "runtime/log.h"
#include "runtime/workers.h"
#include "settings/startup_error.h"

namespace tracker::app {

using settings::SettingTable;
using settings::StartupError;

void add_balancer_settings(SettingTable& table, BalancerSettings& settings) {
  add_service_settings(table, settings.service, "--balancer-addr", "BALANCER_ADDR", {"127.0.0.1", 6385},
                       "Where to listen for gRPC.");
  table.begin_group(SettingTable::Group::addresses);
  table.add_switch(
      "--insecure", settings.insecure, "Allows listening off loopback, although the link has no TLS.",
      SettingTable::Condition{"a --balancer-addr off loopback",
                              [&settings] { return is_off_loopback(settings.service.address); }});
  table.add({"--counters", "", "The counters among which the tokens are partitioned.",
             "none: it, or --counters-file, must be given", "a list of name=host:port",
             [&settings](std::string_view text) {
               return take_list(settings.counters, text) && settings.counters.balancers.empty();
             },
             "ADDRESSES"});
  add_list_settings(table, settings.counters);
  table.begin_group(SettingTable::Group::limits);
  add_port_settings(table, settings.port);
}

void run_balancer(const BalancerSettings& settings) {
  if (!settings.counters.is_given()) {
    throw StartupError(
        StartupError::bad_setting,
        "--counters: no counters are given; give name=host:port,name=host:port,... or --counters-file");
  }
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
  std::list<runtime::ChangeLog> changes;
  balancer::Balancer balancer(control, list, [&](const counter::CounterList::Entry& entry) {
    return std::make_unique<rpc::RemoteCounter>(
        control, rpc::RemoteCounterSettings{.address = entry.address,
                                            .version = TRACKER_VERSION,
                                            .name = entry.name,
                                            .changes = &changes.emplace_back()});
  });
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
