#include "crashing/target.h"

#include <utility>

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

void wait_until_ready(Target& target) {
  for (auto& victim : target.victims) victim->wait_until_up();
  wait_readyz(static_cast<ServiceVictim&>(*target.victims.back()).health(), 200);
}

}  // namespace tracker::tests
