#include "support/partition.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "support/health.h"

namespace tracker::tests {

Partition::Partition(std::size_t counters) : Partition(std::vector<std::string>(counters, "127.0.0.1")) {}

Partition::Partition(const std::vector<std::string>& hosts) : balancer_door_{"127.0.0.1", lasting_port()} {
  for (const auto& host : hosts) counters_.push_back({.door = {host, lasting_port()}});
}

std::string Partition::list(const std::string& names) const {
  std::string list;
  bool leaves = false;
  for (const char name : names) {
    if (name == '-') {
      leaves = true;
      continue;
    }
    list += (list.empty() ? "" : ",") + std::string{name} + "=" + address(name) + (leaves ? ",leaving" : "");
    leaves = false;
  }
  return list;
}

Arguments Partition::counter_flags(char name) const {
  return {"counter",
          "--counter-addr",
          address(name),
          "--health-addr",
          "127.0.0.1:0",
          "--store",
          "rocksdb:" + (at(name).directory->path() / "store").string()};
}

Service& Partition::start_counter_with(char name, const Arguments& flags) {
  Arguments arguments = counter_flags(name);
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return at(name).service = Service::start(arguments, "counter");
}

Service& Partition::start_counter(char name, const std::string& names, const Arguments& flags) {
  Arguments all{"--name", {name}, "--peers", list(names)};
  all.insert(all.end(), flags.begin(), flags.end());
  return start_counter_with(name, all);
}

void Partition::kill_counter(char name) {
  auto& program = at(name).service.program;
  program->send_signal(SIGKILL);
  EXPECT_TRUE(program->wait_exit());
  program.reset();
}

void Partition::end_counter(char name) {
  auto& program = at(name).service.program;
  program->send_signal(SIGTERM);
  EXPECT_EQ(program->wait_exit(), 0) << program->output();
  program.reset();
}

void Partition::lose_store(char name) {
  at(name).directory = std::make_unique<TemporaryDirectory>();
}

Service& Partition::start_counter_on(char name, const std::string& redis_address, const Arguments& flags) {
  Arguments arguments{"counter",     "--counter-addr", address(name), "--health-addr",
                      "127.0.0.1:0", "--redis-addr",   redis_address};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return at(name).service = Service::start(arguments, "counter");
}

Service& Partition::start_envoy(const std::string& names, const Arguments& flags) {
  Arguments all{"--counter-addr", list(names)};
  all.insert(all.end(), flags.begin(), flags.end());
  return start_envoy_with(all);
}

Service& Partition::start_envoy_with(const Arguments& flags) {
  Arguments arguments{"envoy", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return envoys_.emplace_back(Service::start(arguments, "envoy"));
}

Service& Partition::start_balancer(const Arguments& flags) {
  Arguments arguments{"balancer", "--balancer-addr", balancer_door_.to_string(), "--health-addr",
                      "127.0.0.1:0"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return balancer_ = Service::start(arguments, "balancer");
}

void Partition::start_all(ListAt list_at) {
  std::string names;
  for (std::size_t i = 0; i < counters_.size(); ++i) names += static_cast<char>('a' + i);
  if (list_at == ListAt::balancer) start_balancer({"--counters", list(names)});
  const auto given = list_at == ListAt::balancer ? lookup() : list(names);
  for (const char name : names) start_counter_with(name, {"--name", {name}, "--peers", given});
  for (const char name : names) wait_readyz(counter(name).health, 200);
  wait_all_ready(start_envoy_with({"--counter-addr", given}).health);
}

bool Partition::all_running() const {
  const auto runs = [](const Service& service) { return !service.program || service.program->running(); };
  return std::ranges::all_of(counters_, runs, &Place::service) && runs(balancer_) &&
         std::ranges::all_of(envoys_, runs);
}

}  // namespace tracker::tests
