#include "crashing/target.h"

#include <array>
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

void add_holder(Target& target, std::unique_ptr<ServiceVictim> holder) {
  target.holders.push_back(holder.get());
  target.victims.push_back(std::move(holder));
}

// `counters`: whom it asks.
void add_envoy(Target& target, const std::string& counters, const std::string& program) {
  target.envoy = lasting_door();
  add_holder(target,
             service_victim("envoy", "envoy",
                            {"envoy", "--envoy-addr", target.envoy.to_string(), "--counter-addr", counters},
                            program));
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
  auto redis = std::make_unique<RedisVictim>();
  const Endpoint door = lasting_door();
  auto counter = counter_victim("counter", door, {"--redis-addr", redis->address()}, program);
  target.victims.push_back(std::move(redis));
  add_holder(target, std::move(counter));
  add_envoy(target, door.to_string(), program);
  return target;
}

Target partitioned_target(const ServeChoice& choice, bool with_balancer) {
  Target target;
  target.has_several_counters = true;
  const std::array names{std::string("a"), std::string("b"), std::string("c")};
  std::array<Endpoint, names.size()> doors;
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    doors[i] = lasting_door();
    list += (list.empty() ? "" : ",") + names[i] + '=' + doors[i].to_string();
  }
  if (with_balancer) {
    const Endpoint door = lasting_door();
    target.victims.push_back(service_victim(
        "balancer", "balancer", {"balancer", "--balancer-addr", door.to_string(), "--counters", list},
        choice.program));
    list = "lookup://" + door.to_string();
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto directory = choice.directory.string() + "-" + names[i];
    auto counter = counter_victim("counter-" + names[i], doors[i],
                                  {"--name", names[i], "--peers", list, "--store", "rocksdb:" + directory},
                                  choice.program);
    if (choice.power_cuts) counter->watch(directory);
    add_holder(target, std::move(counter));
  }
  add_envoy(target, list, choice.program);
  return target;
}

Target shared_target(const std::string& program) {
  Target target;
  target.has_several_counters = true;
  auto redis = std::make_unique<RedisVictim>();
  const auto redis_address = redis->address();
  target.victims.push_back(std::move(redis));
  std::string list;
  for (const std::string name : {"a", "b"}) {
    const Endpoint door = lasting_door();
    list += (list.empty() ? "" : ",") + door.to_string();
    add_holder(target, counter_victim("counter-" + name, door, {"--redis-addr", redis_address}, program));
  }
  add_envoy(target, list, program);
  return target;
}

void wait_until_ready(Target& target) {
  for (auto& victim : target.victims) victim->wait_until_up();
  const auto& health = static_cast<ServiceVictim&>(*target.victims.back()).health();
  if (target.has_several_counters) {
    wait_all_ready(health);
  } else {
    wait_readyz(health, 200);
  }
}

}  // namespace tracker::tests
