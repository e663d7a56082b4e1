#ifndef TRACKER_TESTS_CRASHING_VICTIM_H_
#define TRACKER_TESTS_CRASHING_VICTIM_H_

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/endpoint.h"
#include "support/nutcracker.h"
#include "support/power_cut.h"
#include "support/program.h"
#include "support/redis_cluster.h"
#include "support/redis_server.h"

namespace tracker::tests {

// A program that is crashed and started again, at the same door and over the same data. Main thread only.
class Victim {
 public:
  virtual ~Victim() = default;

  virtual std::string name() const = 0;
  // Starts it if it is not running. Returns at once.
  virtual void launch() = 0;
  // Waits until it has started. Throws, with its output, if it does not.
  virtual void wait_until_up() = 0;
  // The run that launch() started last.
  virtual Program& program() = 0;
  // Only while it is not running. What it did not sync, or nothing if its writes are not watched.
  virtual std::optional<PowerCut::Lost> unsynced() { return std::nullopt; }
  // Loses that, and returns what was lost.
  virtual std::optional<PowerCut::Lost> cut_power(const PowerCut::Keep& /*keep*/,
                                                  const PowerCut::LoseSector& /*lose_sector*/) {
    return std::nullopt;
  }

  // Roughly how long it takes to start.
  virtual std::chrono::microseconds start_time() const { return std::chrono::milliseconds(30); }
};

// What one start of a program adds to what all starts have.
struct Variant {
  Arguments arguments;
  Environment environment;
};

// One of tracker's services.
class ServiceVictim final : public Victim {
 public:
  // `door` is the name of its door in the log. `name` is the name of the command.
  ServiceVictim(std::string name, std::string door, Arguments arguments);

  // Sets another executable than tracker.
  void set_executable(std::string executable) { executable_ = std::move(executable); }
  // Its starts use these variants in turn.
  void set_variants(std::vector<Variant> variants) { variants_ = std::move(variants); }
  // From the next start on, records what it syncs in this directory, so that the rest can be lost.
  void watch(const std::filesystem::path& directory);

  std::string name() const override { return name_; }
  void launch() override;
  void wait_until_up() override;
  Program& program() override { return *program_; }
  std::optional<PowerCut::Lost> unsynced() override;
  std::optional<PowerCut::Lost> cut_power(const PowerCut::Keep& keep,
                                          const PowerCut::LoseSector& lose_sector) override;
  std::chrono::microseconds start_time() const override { return start_time_; }

  // Valid once it has been up, even if it has ended since then.
  const Endpoint& health() const { return health_; }

 private:
  const std::string name_;
  const std::string door_;
  const Arguments arguments_;
  std::string executable_ = tracker_binary();
  std::vector<Variant> variants_;
  std::size_t starts_ = 0;
  std::filesystem::path directory_;
  std::unique_ptr<PowerCut> power_;
  std::unique_ptr<Program> program_;
  std::chrono::steady_clock::time_point launched_;
  bool was_up_ = false;  // since then, as far as anybody has asked
  std::chrono::microseconds start_time_{50'000};
  Endpoint health_;
};

class RedisVictim final : public Victim {
 public:
  // A Redis that syncs before it replies and often rewrites its log.
  explicit RedisVictim(std::string name = "redis");

  std::string name() const override { return name_; }
  void launch() override { server_.launch(); }
  void wait_until_up() override { server_.wait_until_it_answers(); }
  Program& program() override { return server_.program(); }

  const Endpoint& endpoint() const { return server_.endpoint(); }
  std::string address() const { return server_.address(); }

 private:
  const std::string name_;
  RedisServer server_;
};

// A node of a Redis Cluster, which is running when this object is made.
class ClusterNodeVictim final : public Victim {
 public:
  ClusterNodeVictim(std::shared_ptr<RedisCluster> cluster, std::size_t node)
      : cluster_(std::move(cluster)), node_(node) {}

  std::string name() const override { return "node-" + std::to_string(node_ + 1); }
  void launch() override { cluster_->node(node_).launch(); }
  void wait_until_up() override { cluster_->node(node_).wait_until_it_answers(); }
  Program& program() override { return cluster_->node(node_).program(); }

 private:
  const std::shared_ptr<RedisCluster> cluster_;
  const std::size_t node_;
};

class NutcrackerVictim final : public Victim {
 public:
  explicit NutcrackerVictim(const std::vector<Endpoint>& redis) : nutcracker_(redis) {}

  std::string name() const override { return "nutcracker"; }
  void launch() override { nutcracker_.launch(); }
  void wait_until_up() override { nutcracker_.wait_until_it_answers(); }
  Program& program() override { return nutcracker_.program(); }

  std::string address() const { return nutcracker_.address(); }

 private:
  Nutcracker nutcracker_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_VICTIM_H_
