#include "support/cluster_fleet.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

#include "support/health.h"

namespace tracker::tests {
namespace {

constexpr auto failover_max = std::chrono::seconds(30);

}  // namespace

ClusterFleet::ClusterFleet(std::size_t counters, std::size_t redis_replicas, const Arguments& counter_flags)
    : cluster_(masters, masters, RedisServer::Keeps::everything,
               {"--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"}) {
  Arguments arguments{"counter",
                      "--store",
                      "redis-cluster",
                      "--redis-addr",
                      cluster_.addresses(),
                      "--redis-replicas",
                      std::to_string(redis_replicas),
                      "--counter-addr",
                      "127.0.0.1:0",
                      "--health-addr",
                      "127.0.0.1:0"};
  arguments.insert(arguments.end(), counter_flags.begin(), counter_flags.end());
  while (counters_.size() < counters) counters_.push_back(Service::start(arguments, "counter"));
  wait_until_all_counts();
}

Service& ClusterFleet::start_envoy() {
  std::string list;
  for (const auto& counter : counters_) list += (list.empty() ? "" : ",") + counter.door.to_string();
  auto& envoy = envoys_.emplace_back(Service::start(
      {"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--counter-addr", list},
      "envoy"));
  wait_all_ready(envoy.health);
  return envoy;
}

std::size_t ClusterFleet::node_of(std::uint16_t slot) const {
  const auto port = cluster_.port_of(slot);
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (cluster_.node(i).endpoint().port == port) return i;
  }
  throw std::runtime_error("nobody has the slot");
}

void ClusterFleet::wait_until_all_counts() {
  for (const auto& counter : counters_) wait_all_ready(counter.health, failover_max);
}

bool ClusterFleet::all_running() const {
  const auto runs = [](const Service& service) { return service.program->running(); };
  return std::ranges::all_of(counters_, runs) && std::ranges::all_of(envoys_, runs);
}

}  // namespace tracker::tests
