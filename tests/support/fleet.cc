#include "support/fleet.h"

#include <signal.h>

#include <algorithm>
#include <stdexcept>

#include "support/health.h"

namespace tracker::tests {

Service Service::start(const Arguments& arguments, const std::string& door) {
  auto program = std::make_unique<Program>(arguments);
  const auto doors = program->wait_listening();
  return {std::move(program), doors.at(door), doors.at("health")};
}

Fleet::Fleet(RedisServer::Keeps keeps) : redis_(keeps), counter_door_{"127.0.0.1", lasting_port()} {}

void Fleet::start_counter() {
  counter_ = Service::start({"counter", "--counter-addr", counter_door_.to_string(), "--health-addr",
                             "127.0.0.1:0", "--redis-addr", redis_.address()},
                            "counter");
}

void Fleet::kill_counter() {
  counter_.program->send_signal(SIGKILL);
  if (!counter_.program->wait_exit()) throw std::runtime_error("the counter outlives SIGKILL");
  counter_.program.reset();
}

Service& Fleet::start_envoy(const Arguments& flags) {
  Arguments arguments{
      "envoy",          "--envoy-addr",           "127.0.0.1:0", "--health-addr", "127.0.0.1:0",
      "--counter-addr", counter_door_.to_string()};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return envoys_.emplace_back(Service::start(arguments, "envoy"));
}

std::unique_ptr<Fleet> Fleet::start(std::size_t envoys, RedisServer::Keeps keeps) {
  auto fleet = std::make_unique<Fleet>(keeps);
  fleet->start_counter();
  for (std::size_t i = 0; i < envoys; ++i) fleet->start_envoy();
  for (const Service& envoy : fleet->envoys_) wait_readyz(envoy.health, 200);
  return fleet;
}

bool Fleet::all_running() const {
  const auto runs = [](const Service& service) { return !service.program || service.program->running(); };
  return redis_.running() && runs(counter_) && std::all_of(envoys_.begin(), envoys_.end(), runs);
}

}  // namespace tracker::tests
