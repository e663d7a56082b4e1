#include "app/counter.h"

#include <memory>
#include <optional>
#include <utility>

#include "app/admin.h"
#include "app/busiest_watch.h"
#include "app/moves_admin.h"
#include "app/remote_maker.h"
#include "app/service.h"
#include "app/table_watch.h"
#include "app/token_sweep.h"
#include "counter/local_counter.h"
#include "counter/partition_member.h"
#include "rpc/counter_door.h"
#include "runtime/log.h"
#include "runtime/workers.h"
#include "settings/shown_value.h"
#include "settings/startup_error.h"
#include "store/readiness.h"

namespace tracker::app {

using settings::SettingTable;
using settings::StartupError;
using std::chrono_literals::operator""ms;

namespace {

void add_partition_settings(SettingTable& table, CounterSettings& settings) {
  table.begin_group(SettingTable::Group::addresses);
  table.add(
      {"--peers", "",
       "All the counters among which the tokens are partitioned, this one included: the same list as the "
       "envoys'. Or lookup://host:port of a balancer, which knows them.",
       "none: it owns every token", "a list of name=host:port, or lookup://host:port of a balancer",
       [&settings](std::string_view text) { return take_list(settings.peers, text); }, "ADDRESSES",
       without(table, "--counters-file")});
  add_list_settings(table, settings.peers);
  table.add({"--name", "", "Which entry of that list this counter is.", "the listening address",
             "a name in the list",
             [&settings](std::string_view text) {
               settings.name = text;
               return !text.empty();
             },
             "NAME", SettingTable::Condition{"--peers or --counters-file", [&settings] {
                                               return settings.peers.is_given();
                                             }}});
}

/// The counter over the store, and what its list needs. Lasts longer than the control loop runs.
struct OwnCounter {
  std::optional<RemoteMaker> peers;
  std::unique_ptr<counter::Counter> counter;
  std::function<void()> reread;  // the list; null: there is none
  AdminParts admin_parts;
  std::optional<TableWatch> watch;
};

void make_member(const CounterSettings& settings, boost::asio::io_context& control,
                 const OpenStore& open_store, const counter::TokenTerms& terms, OwnCounter& own) {
  const auto list = read_list(settings.peers);
  const auto name = settings.name.empty() ? to_string(settings.service.address) : settings.name;
  if (list && list->find(name) == nullptr) {
    throw StartupError(StartupError::bad_setting,
                       "--name: " + settings::shown(name) + " is not in the list of counters, " +
                           list->to_string() + "; give the name of this counter there");
  }
  own.peers.emplace(control);
  auto make_peer = [&own](const auto& entry) { return own.peers->make(entry); };
  auto member =
      std::make_unique<counter::PartitionMember>(control, *open_store.store, name, list, std::move(make_peer),
                                                 make_read_queue(open_store, terms), terms);
  const auto adopt = [&member = *member](const counter::CounterListPtr& changed) { member.adopt(changed); };
  own.reread = list_reread(settings.peers, adopt);
  if (!list) own.watch.emplace(control, settings.peers.balancers, adopt);
  const auto forget = [&member = *member, &open_store](const auto& forgotten, auto done) {
    member.forget(forgotten, empty_for_forgetting(open_store, member, forgotten), std::move(done));
  };
  own.admin_parts = {.member = member.get(), .forget = forget};
  own.counter = std::move(member);
}

}  // namespace

void add_counter_settings(SettingTable& table, CounterSettings& settings) {
  add_service_settings(table, settings.service, "--counter-addr", "COUNTER_ADDR", {"127.0.0.1", 6381},
                       "Where to listen for gRPC.");
  table.begin_group(SettingTable::Group::addresses);
  add_insecure_setting(table, settings.insecure, "--counter-addr", settings.service.address);
  add_partition_settings(table, settings);
  settings.store.add_settings(table, "redis");
  add_token_settings(table, settings.tokens);
  table.begin_group(SettingTable::Group::deadlines);
  table.add_duration("--request-deadline", settings.request_deadline, 1ms,
                     "How long a call waits for its count, and how long Redis may be silent.");
  table.begin_group(SettingTable::Group::limits);
  table.add_count("--hits-max", settings.hits_max, 1, 100'000'000,
                  "The number of hits and mints in flight, of all callers.");
  add_port_settings(table, settings.port);
  add_admin_settings(table, settings.admin);
}

void run_counter(const CounterSettings& settings) {
  require_different_addresses(settings.service);
  require_loopback("--counter-addr", settings.service.address, settings.insecure);
  prepare_service(settings.service);
  const std::size_t descriptors = raise_descriptor_limit();
  boost::asio::io_context control(1);
  const auto workers = make_workers(settings.service.threads);
  const auto rules = token_rules(settings.tokens);
  const auto terms = token_terms(settings.tokens, rules);
  const auto open_store =
      settings.store.open(workers->context(0), settings.request_deadline, rules, settings.peers.is_given());
  ConnectionBudget connections = wanted_connections(settings.port);
  const auto few_descriptors = fit_connections(
      connections, descriptors, reserved_descriptors(settings.service.threads, open_store.files_max));
  const auto watch = watch_busiest(open_store, settings.admin, workers->count());
  OwnCounter own;
  if (settings.peers.is_given()) {
    make_member(settings, control, open_store, terms, own);
  } else {
    require_whole_store(open_store);
    own.counter =
        std::make_unique<counter::LocalCounter>(*open_store.store, make_read_queue(open_store, terms), terms);
  }
  counter::Counter& counter = *own.counter;
  if (watch) {
    counter.watch_by(watch->busiest());
    own.admin_parts.busiest = &watch->busiest();
  }
  auto server = server_settings(settings.port, connections);
  server.hits_max = settings.hits_max;
  server.request_deadline = settings.request_deadline;
  rpc::CounterDoor door = listening("--counter-addr", settings.service.address, [&] {
    return rpc::CounterDoor(control, workers->contexts(), settings.service.address, counter, server);
  });
  own.admin_parts.service = "counter";
  own.admin_parts.minter = &counter;
  own.admin_parts.terms = terms;
  own.admin_parts.store = settings.store.text();
  own.admin_parts.readiness = &counter.readiness();
  own.admin_parts.report = [&](metrics::Page& page) { door.report(page); };
  const auto admin = open_admin_door(open_store, settings.admin, own.admin_parts);
  const auto sweep = start_sweep(open_store, settings.tokens, rules, own.admin_parts.member);
  const store::JointReadiness readiness({&counter.readiness(), &door.envoy_lists()});
  const auto report = [&](metrics::Page& page) {
    door.report(page);
    open_store.store->report(page);
    if (sweep) sweep->report(page);
    if (own.peers) own.peers->report(page);
    if (own.watch) own.watch->report(page);
  };
  const runtime::StopAtEnd stop_at_end(*workers);
  run_service(control, settings.service, {{"counter", door.endpoints()}},
              [&] {
                if (few_descriptors) runtime::log_warning(*few_descriptors);
                log_note(open_store);
                start_workers(*workers);
                if (open_store.wait_for_first_attempt) open_store.wait_for_first_attempt();
              },
              {.readiness = readiness.readiness(),
               .unready_in_public = open_store.unready_in_public,
               .announce_end = [&] { door.announce_end(); },
               .drain =
                   [&](std::function<void()> drained) {
                     door.drain(settings.service.drain.limit,
                                draining_last(admin.door.get(), std::move(drained)));
                   },
               .report = report,
               .reread = both(both(open_store.reread, own.reread), admin.reread)});
  workers->stop();  // before the log says "drained"
  runtime::log_info("drained");
}

}  // namespace tracker::app
