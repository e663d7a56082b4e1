#ifndef TRACKER_TESTS_CRASHING_RESHARDING_H_
#define TRACKER_TESTS_CRASHING_RESHARDING_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "support/cluster_fleet.h"
#include "support/exactness.h"

namespace tracker::tests {

// What clients got.
struct Answers {
  std::size_t counted = 0;
  std::size_t unknown = 0;  // 401
  std::size_t refused = 0;  // 503
  std::size_t perhaps = 0;  // 504, or a connection that broke

  std::string to_string() const;
};

// `redis-cli --cluster fix` while a master is still away: whether it succeeded, and whether with
// --cluster-fix-with-unreachable-masters; then, of one request for each token.
struct TriedEarly {
  bool succeeded = false;
  bool forced = false;
  Answers answers;
};

// Slots that move from one master of a cluster to another, by redis-cli, while clients ask for their tokens. Throws where the
// cluster does not do what it should. Main thread only.
class Resharding {
 public:
  // Each count waits for so many replicas.
  explicit Resharding(std::size_t redis_replicas) : fleet_(1, redis_replicas) { fleet_.start_envoy(); }

  struct ThereAndBack {
    std::chrono::milliseconds there{};
    std::chrono::milliseconds back{};
    Answers answers;
    std::chrono::milliseconds longest{};  // of an answer
    std::size_t tokens = 0;
    // What clients must not see: counts that are lost or doubled, 401, late answers.
    std::vector<std::string> violations;
  };
  // Moves the first `slots` slots of the first master to the second one and back. `tokens` are in them.
  ThereAndBack there_and_back(std::size_t slots, std::size_t tokens);

  enum class Dies { source, target };
  struct Failover {
    std::size_t tokens = 0;  // of the slot that was moving; half of them had moved
    Answers until_promoted;  // from before the end of the master
    std::optional<TriedEarly> tried_early;
    Answers until_fixed;  // of one request for each token: the cluster is well again, but for the slot
    Answers after;        // `redis-cli --cluster fix`
    std::size_t counts_lost = 0;  // that were answered, and are not stored, or were given out again
    std::size_t tokens_lost = 0;

    std::string to_string() const;
  };
  // Kills a master that gives or takes a slot, in the middle of the move, and starts it again once its replica has its
  // place. Then repairs the slot. `early`: it is also tried before the master is back.
  Failover fail_over(std::uint16_t slot, Dies dies, bool early = false);

 private:
  ClusterFleet fleet_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_RESHARDING_H_
