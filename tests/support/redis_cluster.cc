#include "support/redis_cluster.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "support/deadline.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t slots = 16'384;

void expect_ok(const RedisReply& reply) {
  if (reply.is_error) throw std::runtime_error("Redis says " + reply.text);
}

}  // namespace

RedisCluster::RedisCluster(std::size_t masters, std::size_t replicas, RedisServer::Keeps keeps,
                           const Arguments& more)
    : keeps_(keeps), more_(more) {
  for (std::size_t i = 0; i < masters + replicas; ++i) start_node();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    expect_ok(node(i).command({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)}));
  }
  for (std::size_t i = 0; i < masters; ++i) {
    expect_ok(node(i).command({"CLUSTER", "ADDSLOTSRANGE", std::to_string(slots * i / masters),
                               std::to_string(slots * (i + 1) / masters - 1)}));
  }
  for (std::size_t i = 1; i < nodes_.size(); ++i) meet(i);
  for (std::size_t i = masters; i < nodes_.size(); ++i) {
    // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): there are masters
    const auto master = id((i - masters) % masters);
    for (const Deadline deadline; node(i).command({"CLUSTER", "REPLICATE", master}).is_error;) {
      if (deadline.passed()) throw std::runtime_error("a replica does not know its master");
      std::this_thread::sleep_for(20ms);
    }
  }
  wait_until_well();
}

void RedisCluster::start_node() {
  Arguments settings{"--cluster-enabled",           "yes", "--cluster-node-timeout", "2000", "--cluster-port",
                     std::to_string(lasting_port())};
  settings.insert(settings.end(), more_.begin(), more_.end());
  nodes_.push_back(std::make_unique<RedisServer>(keeps_, settings));
}

void RedisCluster::meet(std::size_t i) {
  const auto& its = node(i).endpoint();
  const auto port = node(i).command({"CONFIG", "GET", "cluster-port"}).elements.at(1).text;
  expect_ok(node(0).command({"CLUSTER", "MEET", its.host, std::to_string(its.port), port}));
}

void RedisCluster::add_master() {
  start_node();
  const auto its = nodes_.size() - 1;
  expect_ok(node(its).command({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(its + 1)}));
  meet(its);
  for (std::size_t of = 0; of < nodes_.size(); ++of) {
    const auto name = id(of);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      for (const Deadline deadline;
           node(i).command({"CLUSTER", "NODES"}).text.find(name) == std::string::npos;) {
        if (deadline.passed()) throw std::runtime_error("a node does not hear of another one");
        std::this_thread::sleep_for(20ms);
      }
    }
  }
  wait_until_well();
}

std::string RedisCluster::addresses() const {
  std::string all;
  for (const auto& node : nodes_) all += (all.empty() ? "" : ",") + node->address();
  return all;
}

void RedisCluster::wait_until_well(const std::vector<std::size_t>& but) {
  const auto is_well = [&](std::size_t i) {
    const auto& its = node(i);
    if (!its.running() || std::ranges::find(but, i) != but.end()) return true;
    const auto text = its.command({"CLUSTER", "INFO"}).text;
    if (text.find("cluster_state:ok") == text.npos) return false;
    if (its.command({"ROLE"}).elements.at(0).text != "slave") return true;
    return its.command({"INFO", "replication"}).text.find("master_link_status:up") != std::string::npos;
  };
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for (const Deadline deadline; !is_well(i);) {
      if (deadline.passed()) throw std::runtime_error("the cluster does not become well");
      std::this_thread::sleep_for(20ms);
    }
  }
}

std::uint16_t RedisCluster::port_of(std::uint16_t slot, std::size_t asked) const {
  for (const auto& range : nodes_.at(asked)->command({"CLUSTER", "SLOTS"}).elements) {
    if (range.elements.at(0).integer <= slot && slot <= range.elements.at(1).integer)
      return static_cast<std::uint16_t>(range.elements.at(2).elements.at(1).integer);
  }
  return 0;
}

void RedisCluster::begin_move(std::uint16_t slot, std::size_t from, std::size_t to) {
  const auto its = std::to_string(slot);
  expect_ok(node(to).command({"CLUSTER", "SETSLOT", its, "IMPORTING", id(from)}));
  expect_ok(node(from).command({"CLUSTER", "SETSLOT", its, "MIGRATING", id(to)}));
}

void RedisCluster::migrate(const std::vector<std::string>& keys, std::size_t from, std::size_t to) {
  const auto& target = node(to).endpoint();
  Arguments command{"MIGRATE", target.host, std::to_string(target.port), "", "0", "5000", "KEYS"};
  command.insert(command.end(), keys.begin(), keys.end());
  expect_ok(node(from).command(command));
}

void RedisCluster::move_keys(std::uint16_t slot, std::size_t from, std::size_t to) {
  while (true) {
    const auto some = node(from).command({"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), "10"});
    if (some.elements.empty()) return;
    std::vector<std::string> keys;
    for (const auto& key : some.elements) keys.push_back(key.text);
    migrate(keys, from, to);
  }
}

std::string RedisCluster::manage(const std::string& command, std::size_t asked, const Arguments& more) const {
  Arguments arguments{"--cluster", command, node(asked).address()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  Program redis_cli(arguments, {}, REDIS_CLI);
  const auto exit_code = redis_cli.wait_exit(std::chrono::minutes(5));
  if (exit_code != 0)
    throw std::runtime_error("redis-cli --cluster " + command + " fails: " + redis_cli.output());
  return redis_cli.output();
}

void RedisCluster::reshard(std::size_t from, std::size_t to, std::size_t slots) const {
  manage("reshard", from,
         {"--cluster-from", id(from), "--cluster-to", id(to), "--cluster-slots", std::to_string(slots),
          "--cluster-yes"});
}

void RedisCluster::end_move(std::uint16_t slot, std::size_t from, std::size_t to) {
  const auto its = std::to_string(slot);
  const auto target = id(to);
  expect_ok(node(to).command({"CLUSTER", "SETSLOT", its, "NODE", target}));
  // One that has lost its last slot may be a replica already, and refuses that.
  node(from).command({"CLUSTER", "SETSLOT", its, "NODE", target});
}

}  // namespace tracker::tests
