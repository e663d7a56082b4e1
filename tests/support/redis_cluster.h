#ifndef TRACKER_TESTS_SUPPORT_REDIS_CLUSTER_H_
#define TRACKER_TESTS_SUPPORT_REDIS_CLUSTER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "support/redis_server.h"

namespace tracker::tests {

// A real Redis Cluster on 127.0.0.1: masters with equal shares of the slots, and replicas. A node keeps everything, on the
// disk and synchronously, unless it is told otherwise. Main thread of the test only, but for RedisServer::command().
class RedisCluster {
 public:
  // Replicas belong to the masters in turn. Returns when every node says that the cluster is well.
  explicit RedisCluster(std::size_t masters = 3, std::size_t replicas = 0,
                        RedisServer::Keeps keeps = RedisServer::Keeps::nothing, const Arguments& more = {});
  // Another master, without slots. Returns when all nodes know it.
  void add_master();

  // Masters come first.
  RedisServer& node(std::size_t i) { return *nodes_.at(i); }
  const RedisServer& node(std::size_t i) const { return *nodes_.at(i); }
  std::size_t size() const { return nodes_.size(); }
  std::string id(std::size_t i) const { return nodes_.at(i)->command({"CLUSTER", "MYID"}).text; }
  // Of all nodes, separated by commas.
  std::string addresses() const;

  // Until every node that runs, but for those in `but`, says so.
  void wait_until_well(const std::vector<std::size_t>& but = {});

  // The node that this node believes to have the slot, by its port. Nothing known: 0.
  std::uint16_t port_of(std::uint16_t slot, std::size_t asked = 0) const;

  // Moves slots from one master to another, as redis-cli does.
  void begin_move(std::uint16_t slot, std::size_t from, std::size_t to);
  void migrate(const std::vector<std::string>& keys, std::size_t from, std::size_t to);
  void move_keys(std::uint16_t slot, std::size_t from, std::size_t to);
  void end_move(std::uint16_t slot, std::size_t from, std::size_t to);
  void move(std::uint16_t slot, std::size_t from, std::size_t to) {
    begin_move(slot, from, to);
    move_keys(slot, from, to);
    end_move(slot, from, to);
  }

  // `redis-cli --cluster COMMAND` with the address of this node, and `more`. Returns what it says. Throws if it fails.
  std::string manage(const std::string& command, std::size_t asked, const Arguments& more = {}) const;
  // The first `slots` slots of a master, by redis-cli.
  void reshard(std::size_t from, std::size_t to, std::size_t slots) const;

 private:
  void start_node();
  void meet(std::size_t i);

  const RedisServer::Keeps keeps_;
  const Arguments more_;
  std::vector<std::unique_ptr<RedisServer>> nodes_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_REDIS_CLUSTER_H_
