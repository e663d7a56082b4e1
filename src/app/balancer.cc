#include "app/balancer.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "app/remote_maker.h"
#include "app/service.h"
#include "balancer/balancer.h"
#include "rpc/counter_door.h"
#include "runtime/log.h"
#include "runtime/workers.h"
#include "settings/startup_error.h"
#include "store/redis/cluster_store.h"

namespace tracker::app {

using counter::CounterList;
using counter::CounterListPtr;
using settings::SettingTable;
using settings::StartupError;
using store::redis::ClusterSlots;

namespace {

/// The nodes beside which the counters stand: their names. Throws StartupError if one is none.
std::vector<runtime::Address> nodes_of(const CounterList& list) {
  std::vector<runtime::Address> nodes;
  for (const auto& entry : list.entries()) {
    const auto node = runtime::parse_address(entry.name);
    if (!node || node->host.empty() || node->port == 0 || *node == entry.address) {
      throw StartupError(
          StartupError::bad_setting,
          "--slots redis-cluster: " + entry.name +
              " is not the address of a Redis; write redis-host:port=counter-host:port for each "
              "counter");
    }
    nodes.push_back(*node);
  }
  return nodes;
}

/// The list with the counter preferred for each slot that stands beside its master.
CounterListPtr beside_masters(const CounterList& list, const ClusterSlots& slots) {
  std::vector<std::uint8_t> counter_of(slots.masters.size(), CounterList::nobody);
  for (std::size_t entry = 0; entry < list.entries().size(); ++entry) {
    const auto node = runtime::parse_address(list.entries()[entry].name);
    const auto id = node ? slots.nodes.find(to_string(*node)) : slots.nodes.end();
    if (id == slots.nodes.end()) continue;
    const auto master = std::ranges::find(slots.masters, id->second) - slots.masters.begin();
    if (static_cast<std::size_t>(master) < counter_of.size())
      counter_of[static_cast<std::size_t>(master)] = static_cast<std::uint8_t>(entry);
  }
  std::vector<std::uint8_t> preferred(domain::slots, CounterList::nobody);
  for (std::size_t slot = 0; slot < slots.owners.size(); ++slot) {
    if (slots.owners[slot] != ClusterSlots::nobody) preferred[slot] = counter_of[slots.owners[slot]];
  }
  return std::make_shared<const CounterList>(list.preferring(std::move(preferred)));
}

/// Watches the masters of a Redis Cluster, and gives the balancer the counters beside them. `loop` must have stopped when
/// this is destroyed.
class ClusterFollower {
 public:
  ClusterFollower(boost::asio::io_context& loop, const store::redis::RedisAddress& redis,
                  const std::vector<runtime::Address>& nodes, CounterListPtr list,
                  balancer::Balancer& balancer)
      : loop_(loop),
        balancer_(balancer),
        list_(std::move(list)),
        cluster_(loop, {.redis = redis, .only_views = true}, nodes) {
    cluster_.ask_also(nodes_of(*list_));
    subscriptions_.push_back(cluster_.slots().subscribe([this](const ClusterSlots& slots) { tell(slots); }));
    subscriptions_.push_back(cluster_.readiness().subscribe([this](const domain::Readiness& readiness) {
      balancer_.note(readiness.is_ready() ? "" : readiness.why_not());
    }));
  }

  /// Any thread. Throws StartupError.
  void use(CounterListPtr list) {
    auto nodes = nodes_of(*list);
    boost::asio::post(loop_, [this, list = std::move(list), nodes = std::move(nodes)] {
      if (list_->refusal_of(*list)) return balancer_.adopt(list);  // it says so
      list_ = list;
      cluster_.ask_also(nodes);
      tell(cluster_.slots().value());
    });
  }

  /// Any thread.
  void set_password(const std::string& password) { cluster_.set_password(password); }

  /// What its links measure. Any thread.
  void report(metrics::Page& page) const { cluster_.report_links(page); }

 private:
  void tell(const ClusterSlots& slots) {
    if (slots.owners.empty()) return balancer_.adopt(list_);  // nobody is preferred yet
    balancer_.adopt(beside_masters(*list_, slots));
  }

  boost::asio::io_context& loop_;
  balancer::Balancer& balancer_;
  CounterListPtr list_;  // of the loop's thread
  store::redis::ClusterStore cluster_;
  std::vector<runtime::Subscription> subscriptions_;
};

}  // namespace

void add_balancer_settings(SettingTable& table, BalancerSettings& settings) {
  add_service_settings(table, settings.service, "--balancer-addr", "BALANCER_ADDR", {"127.0.0.1", 6385},
                       "Where to listen for gRPC.");
  table.begin_group(SettingTable::Group::addresses);
  add_insecure_setting(table, settings.insecure, "--balancer-addr", settings.service.address);
  add_counters_setting(table, settings.counters, false);
  table.add(
      {"--slots", "",
       "Who owns which token: `counters` shares the slots among the counters by their names. `redis-cluster` "
       "prefers for each slot the counter beside the master of a Redis Cluster that has it; the counters run "
       "--store redis-cluster, and each name in the list is the address of the Redis beside it.",
       "counters", "counters or redis-cluster",
       [&settings](std::string_view text) {
         settings.by_cluster = text == "redis-cluster";
         return settings.by_cluster || text == "counters";
       },
       "KIND", std::nullopt, std::vector<std::string>{"counters", "redis-cluster"}});
  const SettingTable::Condition by_cluster{"--slots redis-cluster",
                                           [&settings] { return settings.by_cluster; }};
  settings.redis.add_settings(table, by_cluster, by_cluster, [] { return true; });
  table.begin_group(SettingTable::Group::limits);
  add_port_settings(table, settings.port);
}

void run_balancer(const BalancerSettings& settings) {
  require_different_addresses(settings.service);
  require_loopback("--balancer-addr", settings.service.address, settings.insecure);
  const auto list = read_list(settings.counters);
  const auto redis = settings.by_cluster ? settings.redis.with_password() : store::redis::RedisAddress{};
  if (settings.by_cluster) nodes_of(*list);  // throws if a name is no address
  prepare_service(settings.service);
  const std::size_t descriptors = raise_descriptor_limit();
  boost::asio::io_context control(1);
  const auto workers = make_workers(settings.service.threads);
  ConnectionBudget connections = wanted_connections(settings.port);
  const auto few_descriptors =
      fit_connections(connections, descriptors, reserved_descriptors(settings.service.threads, 0));
  RemoteMaker remotes(control);
  balancer::Balancer balancer(control, list, [&](const auto& entry) { return remotes.make(entry); });
  std::optional<ClusterFollower> follower;
  if (settings.by_cluster) follower.emplace(control, redis, settings.redis.nodes(), list, balancer);
  auto server = server_settings(settings.port, connections);
  server.interface = rpc::PublicInterface::route_lookup;
  rpc::CounterDoor door = listening("--balancer-addr", settings.service.address, [&] {
    return rpc::CounterDoor(control, workers->contexts(), settings.service.address, balancer, server);
  });
  const auto report = [&](metrics::Page& page) {
    door.report(page);
    remotes.report(page);
    if (follower) follower->report(page);
  };
  const runtime::StopAtEnd stop_at_end(*workers);
  run_service(control, settings.service, {{"balancer", door.endpoints()}},
              [&] {
                if (few_descriptors) runtime::log_warning(*few_descriptors);
                start_workers(*workers);
              },
              {.readiness = balancer.readiness(),
               .unready_in_public = "its list of counters is outdated",
               .announce_end = [&] { door.announce_end(); },
               .drain =
                   [&](std::function<void()> drained) {
                     door.drain(settings.service.drain.limit, std::move(drained));
                   },
               .report = report,
               .reread = both(
                   list_reread(settings.counters,
                               [&](const CounterListPtr& changed) {
                                 if (follower) return follower->use(changed);
                                 balancer.adopt(changed);
                               }),
                   settings.redis.reread([&](const auto& password) { follower->set_password(password); }))});
  workers->stop();  // before the log says "drained"
  runtime::log_info("drained");
}

}  // namespace tracker::app
