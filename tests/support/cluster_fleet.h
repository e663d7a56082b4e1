#ifndef TRACKER_TESTS_SUPPORT_CLUSTER_FLEET_H_
#define TRACKER_TESTS_SUPPORT_CLUSTER_FLEET_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "support/fleet.h"
#include "support/redis_cluster.h"

namespace tracker::tests {

// A Redis Cluster of three masters with a replica each, counters on it that stand in for each other, and envoys. Main
// thread of the test only.
class ClusterFleet {
 public:
  static constexpr std::size_t masters = 3;

  // Starts all but envoys, ready to count. Each count waits for so many replicas.
  explicit ClusterFleet(std::size_t counters = 1, std::size_t redis_replicas = 0,
                        const Arguments& counter_flags = {});

  Service& counter(std::size_t i = 0) { return counters_.at(i); }

  // Starts one more envoy, ready to count.
  Service& start_envoy();
  Service& envoy(std::size_t i = 0) { return envoys_.at(i); }

  RedisCluster& cluster() { return cluster_; }
  // The node that has the slot, as the first one believes.
  std::size_t node_of(std::uint16_t slot) const;

  // Returns when every counter says that it can count everything.
  void wait_until_all_counts();

  bool all_running() const;

 private:
  RedisCluster cluster_;
  std::vector<Service> counters_;
  std::deque<Service> envoys_;  // references to its elements stay valid
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_CLUSTER_FLEET_H_
