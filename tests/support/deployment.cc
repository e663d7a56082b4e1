#include "support/deployment.h"

#include <signal.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <utility>

#include "support/health.h"

namespace tracker::tests {
namespace {

std::unique_ptr<Deployment> start_serve_memory(const Arguments& envoy_flags) {
  Arguments arguments{"serve",       "--store",       "memory",     "--envoy-addr",
                      "127.0.0.1:0", "--health-addr", "127.0.0.1:0"};
  arguments.insert(arguments.end(), envoy_flags.begin(), envoy_flags.end());
  std::vector<std::unique_ptr<Program>> programs;
  programs.push_back(std::make_unique<Program>(arguments));
  return std::make_unique<Deployment>(std::move(programs));
}

std::unique_ptr<Deployment> start_envoy_counter_redis(const Arguments& envoy_flags) {
  auto redis = std::make_unique<RedisServer>();
  std::vector<std::unique_ptr<Program>> programs;
  programs.push_back(
      std::make_unique<Program>(Arguments{"counter", "--counter-addr", "127.0.0.1:0", "--health-addr",
                                          "127.0.0.1:0", "--redis-addr", redis->address()}));
  const Endpoint counter = programs.back()->wait_listening().at("counter");
  Arguments arguments{"envoy",       "--envoy-addr",   "127.0.0.1:0",      "--health-addr",
                      "127.0.0.1:0", "--counter-addr", counter.to_string()};
  arguments.insert(arguments.end(), envoy_flags.begin(), envoy_flags.end());
  programs.push_back(std::make_unique<Program>(arguments));
  auto deployment = std::make_unique<Deployment>(std::move(programs), std::move(redis));
  wait_readyz(deployment->health(), 200);
  return deployment;
}

std::map<std::string, std::unique_ptr<Deployment>>& shared_deployments() {
  static std::map<std::string, std::unique_ptr<Deployment>> deployments;
  return deployments;
}

}  // namespace

Deployment::Deployment(std::vector<std::unique_ptr<Program>> programs, std::unique_ptr<RedisServer> redis)
    : redis_(std::move(redis)), programs_(std::move(programs)) {
  const auto doors = front().wait_listening();
  envoy_ = doors.at("envoy");
  health_ = doors.at("health");
}

bool Deployment::all_running() const {
  return (!redis_ || redis_->running()) &&
         std::all_of(programs_.begin(), programs_.end(),
                     [](const auto& program) { return program->running(); });
}

void Deployment::end() {
  std::for_each(programs_.rbegin(), programs_.rend(), [](const auto& program) {
    program->send_signal(SIGTERM);
    EXPECT_EQ(program->wait_exit(), 0) << program->output();
  });
}

std::ostream& operator<<(std::ostream& out, const DeploymentKind& kind) {
  return out << kind.name;
}

const std::vector<DeploymentKind>& deployment_kinds() {
  static const std::vector<DeploymentKind> kinds{{"serve_memory", &start_serve_memory},
                                                 {"envoy_counter_redis", &start_envoy_counter_redis}};
  return kinds;
}

std::string deployment_name(const testing::TestParamInfo<DeploymentKind>& info) {
  return info.param.name;
}

Deployment& DeploymentTest::shared() {
  auto& deployment = shared_deployments()[GetParam().name];
  if (!deployment || !deployment->all_running()) deployment = start();
  return *deployment;
}

std::unique_ptr<Deployment> DeploymentTest::start(const Arguments& envoy_flags) {
  return GetParam().start(envoy_flags);
}

void DeploymentTest::TearDown() {
  const auto& deployment = shared_deployments()[GetParam().name];
  if (deployment) {
    EXPECT_TRUE(deployment->all_running()) << deployment->front().output();
  }
}

void DeploymentTest::TearDownTestSuite() {
  for (auto& [name, deployment] : shared_deployments()) {
    if (!deployment) continue;
    SCOPED_TRACE(name);
    deployment->end();
  }
  shared_deployments().clear();
}

}  // namespace tracker::tests
