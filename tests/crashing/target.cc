#include "crashing/target.h"

#include <array>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

#include "support/deadline.h"
#include "support/health.h"

namespace tracker::tests {
namespace {

Endpoint lasting_door() {
  return {"127.0.0.1", lasting_port()};
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
  target.holders = {serve.get()};
  target.victims.push_back(std::move(serve));
  return target;
}

Target redis_target(const std::string& program) {
  Target target;
  target.envoy = lasting_door();
  const Endpoint counter_door = lasting_door();
  auto redis = std::make_unique<RedisVictim>();
  auto counter = std::make_unique<ServiceVictim>(
      "counter", "counter",
      Arguments{"counter", "--counter-addr", counter_door.to_string(), "--health-addr", "127.0.0.1:0",
                "--redis-addr", redis->address()});
  auto envoy = std::make_unique<ServiceVictim>(
      "envoy", "envoy",
      Arguments{"envoy", "--envoy-addr", target.envoy.to_string(), "--health-addr", "127.0.0.1:0",
                "--counter-addr", counter_door.to_string()});
  counter->set_executable(program);
  envoy->set_executable(program);
  target.holders = {counter.get(), envoy.get()};
  target.victims.push_back(std::move(redis));
  target.victims.push_back(std::move(counter));
  target.victims.push_back(std::move(envoy));
  return target;
}

Target partitioned_target(const ServeChoice& choice, bool with_balancer) {
  Target target;
  target.has_several_counters = true;
  target.envoy = lasting_door();
  const std::array names{std::string("a"), std::string("b"), std::string("c")};
  std::array<Endpoint, names.size()> doors;
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    doors[i] = lasting_door();
    list += (list.empty() ? "" : ",") + names[i] + '=' + doors[i].to_string();
  }
  if (with_balancer) {
    const Endpoint door = lasting_door();
    auto balancer =
        std::make_unique<ServiceVictim>("balancer", "balancer",
                                        Arguments{"balancer", "--balancer-addr", door.to_string(),
                                                  "--health-addr", "127.0.0.1:0", "--counters", list});
    balancer->set_executable(choice.program);
    target.victims.push_back(std::move(balancer));
    list = "lookup://" + door.to_string();
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto directory = choice.directory.string() + "-" + names[i];
    auto counter = std::make_unique<ServiceVictim>(
        "counter-" + names[i], "counter",
        Arguments{"counter", "--name", names[i], "--counter-addr", doors[i].to_string(), "--health-addr",
                  "127.0.0.1:0", "--peers", list, "--store", "rocksdb:" + directory});
    counter->set_executable(choice.program);
    if (choice.power_cuts) counter->watch(directory);
    target.holders.push_back(counter.get());
    target.victims.push_back(std::move(counter));
  }
  auto envoy =
      std::make_unique<ServiceVictim>("envoy", "envoy",
                                      Arguments{"envoy", "--envoy-addr", target.envoy.to_string(),
                                                "--health-addr", "127.0.0.1:0", "--counter-addr", list});
  envoy->set_executable(choice.program);
  target.holders.push_back(envoy.get());
  target.victims.push_back(std::move(envoy));
  return target;
}

Target shared_target(const std::string& program) {
  Target target;
  target.has_several_counters = true;
  target.envoy = lasting_door();
  auto redis = std::make_unique<RedisVictim>();
  const auto redis_address = redis->address();
  target.victims.push_back(std::move(redis));
  std::string list;
  for (const std::string name : {"a", "b"}) {
    const Endpoint door = lasting_door();
    list += (list.empty() ? "" : ",") + door.to_string();
    auto counter = std::make_unique<ServiceVictim>(
        "counter-" + name, "counter",
        Arguments{"counter", "--counter-addr", door.to_string(), "--health-addr", "127.0.0.1:0",
                  "--redis-addr", redis_address});
    counter->set_executable(program);
    target.holders.push_back(counter.get());
    target.victims.push_back(std::move(counter));
  }
  auto envoy =
      std::make_unique<ServiceVictim>("envoy", "envoy",
                                      Arguments{"envoy", "--envoy-addr", target.envoy.to_string(),
                                                "--health-addr", "127.0.0.1:0", "--counter-addr", list});
  envoy->set_executable(program);
  target.holders.push_back(envoy.get());
  target.victims.push_back(std::move(envoy));
  return target;
}

void wait_until_ready(Target& target) {
  for (auto& victim : target.victims) victim->wait_until_up();
  const auto& health = static_cast<ServiceVictim&>(*target.victims.back()).health();
  const Deadline deadline;
  while (wait_readyz(health, 200) != "ready\n" && target.has_several_counters) {
    if (deadline.passed()) throw std::runtime_error("a counter stays away: " + wait_readyz(health, 200));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace tracker::tests
