#include "crashing/target.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <regex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "support/health.h"

namespace tracker::tests {
namespace {

Endpoint lasting_door() {
  return {"127.0.0.1", lasting_port()};
}

std::unique_ptr<ServiceVictim> service_victim(const std::string& name, const std::string& door,
                                              Arguments arguments, const std::string& program) {
  arguments.insert(arguments.end(), {"--health-addr", "127.0.0.1:0"});
  auto victim = std::make_unique<ServiceVictim>(name, door, arguments);
  victim->set_executable(program);
  return victim;
}

std::unique_ptr<ServiceVictim> counter_victim(const std::string& name, const Endpoint& door,
                                              const Arguments& flags, const std::string& program) {
  Arguments arguments{"counter", "--counter-addr", door.to_string()};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return service_victim(name, "counter", arguments, program);
}

void add_holder(Target& target, std::unique_ptr<Victim> holder) {
  target.holders.push_back(holder.get());
  target.victims.push_back(std::move(holder));
}

void add_service(Target& target, std::unique_ptr<ServiceVictim> service) {
  target.services.push_back(service.get());
  add_holder(target, std::move(service));
}

// `flags` say whom it asks.
void add_envoy(Target& target, const Arguments& flags, const std::string& program) {
  target.envoy = lasting_door();
  Arguments arguments{"envoy", "--envoy-addr", target.envoy.to_string()};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  add_service(target, service_victim("envoy", "envoy", arguments, program));
}

// Whether a counter has settled as many of its slots as it can, in the words of its /readyz. Those in which others hold
// tokens remain.
bool has_settled(const std::string& readyz) {
  static const std::regex waits("(slots are refused: counter \\S+ at )|(slots are being settled)");
  return !std::regex_search(readyz, waits);
}

// Two counters that stand in for each other, and their envoy.
void add_sharing_counters(Target& target, const Arguments& flags, const std::string& program) {
  target.has_several_counters = true;
  std::string list;
  for (const std::string name : {"a", "b"}) {
    const Endpoint door = lasting_door();
    list += (list.empty() ? "" : ",") + door.to_string();
    add_service(target, counter_victim("counter-" + name, door, flags, program));
  }
  add_envoy(target, {"--counter-addr", list}, program);
}

}  // namespace

Target serve_target(const ServeChoice& choice) {
  Target target;
  target.envoy = lasting_door();
  Arguments arguments = choice.before;
  arguments.insert(arguments.end(), {"serve", "--envoy-addr", target.envoy.to_string(), "--health-addr",
                                     "127.0.0.1:0", "--store", "rocksdb:" + choice.directory.string()});
  arguments.insert(arguments.end(), choice.more.begin(), choice.more.end());
  auto serve = std::make_unique<ServiceVictim>("serve", "envoy", arguments);
  serve->set_executable(choice.program);
  // With little memory it flushes and compacts all the time. With more memory its log grows over several starts.
  const Arguments little{"--cache-bytes", "1MiB"};
  const Arguments more{"--cache-bytes", "32MiB"};
  const Environment slow{{"SYNC_DELAY_US", "2000"}};
  serve->set_variants({{little, {}}, {more, slow}, {little, slow}, {little, {}}, {more, {}}});
  if (choice.power_cuts) serve->watch(choice.directory);
  add_service(target, std::move(serve));
  return target;
}

Target redis_target(const std::string& program) {
  Target target;
  auto redis = std::make_unique<RedisVictim>();
  const Endpoint door = lasting_door();
  auto counter = counter_victim("counter", door, {"--redis-addr", redis->address()}, program);
  target.victims.push_back(std::move(redis));
  add_service(target, std::move(counter));
  add_envoy(target, {"--counter-addr", door.to_string()}, program);
  return target;
}

Target partitioned_target(const ServeChoice& choice, bool with_balancer) {
  Target target;
  target.has_several_counters = true;
  std::vector<ChangingList::Counter> counters;
  for (const std::string name : {"a", "b", "c", "d"}) counters.push_back({name, lasting_door()});
  target.list = std::make_unique<ChangingList>(choice.directory.string() + ".counters", counters);
  Arguments of_counters{"--counters-file", target.list->file()};
  Arguments of_envoy = of_counters;
  if (with_balancer) {
    const Endpoint door = lasting_door();
    auto balancer = service_victim(
        "balancer", "balancer",
        {"balancer", "--balancer-addr", door.to_string(), "--counters-file", target.list->file()},
        choice.program);
    target.list_readers = {balancer.get()};
    target.victims.push_back(std::move(balancer));
    const auto lookup = "lookup://" + door.to_string();
    of_counters = {"--peers", lookup};
    of_envoy = {"--counter-addr", lookup};
  }
  for (const auto& [name, door] : counters) {
    const auto directory = choice.directory.string() + "-" + name;
    Arguments flags{"--name", name, "--store", "rocksdb:" + directory};
    flags.insert(flags.end(), of_counters.begin(), of_counters.end());
    auto counter = counter_victim("counter-" + name, door, flags, choice.program);
    if (choice.power_cuts) counter->watch(directory);
    add_service(target, std::move(counter));
  }
  add_envoy(target, of_envoy, choice.program);
  if (!with_balancer) target.list_readers = target.holders;
  return target;
}

Target shared_target(const std::string& program) {
  Target target;
  auto redis = std::make_unique<RedisVictim>();
  const auto redis_address = redis->address();
  target.victims.push_back(std::move(redis));
  add_sharing_counters(target, {"--redis-addr", redis_address}, program);
  return target;
}

Target proxy_target(const std::string& program) {
  Target target;
  std::vector<Endpoint> servers;
  for (std::size_t i = 1; i <= Nutcracker::servers; ++i) {
    auto redis = std::make_unique<RedisVictim>("redis-" + std::to_string(i));
    servers.push_back(redis->endpoint());
    target.victims.push_back(std::move(redis));
  }
  auto nutcracker = std::make_unique<NutcrackerVictim>(servers);
  const auto address = nutcracker->address();
  add_holder(target, std::move(nutcracker));
  add_sharing_counters(target, {"--redis-proxy", "--store-name", "shop", "--redis-addr", address}, program);
  return target;
}

Target cluster_target(const std::string& program) {
  constexpr std::size_t masters = 3;
  Target target;
  target.long_stop_in = 4;
  const auto cluster = std::make_shared<RedisCluster>(
      masters, masters, RedisServer::Keeps::everything,
      Arguments{"--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"});
  target.wait_for_store = [cluster] { cluster->wait_until_well(); };
  for (std::size_t i = 0; i < cluster->size(); ++i)
    target.victims.push_back(std::make_unique<ClusterNodeVictim>(cluster, i));
  add_sharing_counters(
      target, {"--store", "redis-cluster", "--redis-addr", cluster->addresses(), "--redis-replicas", "1"},
      program);
  return target;
}

void wait_until_ready(Target& target) {
  for (auto& victim : target.victims) victim->wait_until_up();
  if (target.wait_for_store) {
    target.wait_for_store();
    for (const auto* service : target.services) wait_all_ready(service->health());
  }
  const auto& health = static_cast<ServiceVictim&>(*target.victims.back()).health();
  if (target.has_several_counters) {
    wait_all_ready(health);
  } else {
    wait_readyz(health, 200);
  }
}

void turn_list(Target& target) {
  target.list->turn();
  for (auto* reader : target.list_readers) reader->program().send_signal(SIGHUP);
  const auto version = "(version " + std::to_string(target.list->version()) + ")";
  const auto has_list = [&](ServiceVictim* holder) {
    return holder->program().output().find(version) != std::string::npos &&
           has_settled(ask_health(holder->health(), "/readyz").body);
  };
  for (const Deadline deadline; !std::ranges::all_of(target.services, has_list);) {
    if (deadline.passed()) throw std::runtime_error("not everybody takes the list of " + version);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  wait_until_ready(target);
}

}  // namespace tracker::tests
