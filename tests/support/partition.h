#ifndef TRACKER_TESTS_SUPPORT_PARTITION_H_
#define TRACKER_TESTS_SUPPORT_PARTITION_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "support/endpoint.h"
#include "support/fleet.h"
#include "support/program.h"
#include "support/temporary_directory.h"

namespace tracker::tests {

// Several counters among which the tokens are partitioned, each over a RocksDB of its own, envoys, and perhaps a
// balancer. A counter's name is a letter: `a`, `b`, ... Each can stop and start again at the same address. Main thread of
// the test only.
class Partition {
 public:
  // Who has the list of counters: envoys and counters themselves, or the balancer that they ask.
  enum class ListAt { everyone, balancer };

  // Starts nothing. `counters` have addresses and stores.
  explicit Partition(std::size_t counters);
  // The same with a counter at each of these hosts.
  explicit Partition(const std::vector<std::string>& hosts);

  // The list of the counters with these names. `-` before a name: it leaves.
  std::string list(const std::string& names) const;

  // `list` are names, as above. `flags` follow.
  Service& start_counter(char name, const std::string& list, const Arguments& flags = {});
  // The same over a Redis, or over a proxy.
  Service& start_counter_on(char name, const std::string& redis_address, const Arguments& flags);
  // The flags of a counter without those about partitioning.
  Arguments counter_flags(char name) const;
  Service& start_counter_with(char name, const Arguments& flags);
  // SIGKILL.
  void kill_counter(char name);
  // SIGTERM. Its end must be clean.
  void end_counter(char name);
  Service& counter(char name) { return at(name).service; }
  std::string address(char name) const { return at(name).door.to_string(); }

  // From now on the counter has another disk, which is empty.
  void lose_store(char name);

  Service& start_envoy(const std::string& list, const Arguments& flags = {});
  Service& start_envoy_with(const Arguments& flags);
  Service& envoy(std::size_t i = 0) { return envoys_.at(i); }

  // `flags` give it the list.
  Service& start_balancer(const Arguments& flags);
  Service& balancer() { return balancer_; }
  // What those who ask it have in place of a list.
  std::string lookup() const { return "lookup://" + balancer_door_.to_string(); }

  // Starts all counters with the list of all, and an envoy. Returns when each can count.
  void start_all(ListAt list_at = ListAt::everyone);

  // Returns whether every program runs that was started and not ended here.
  bool all_running() const;

 private:
  struct Place {
    Endpoint door;
    std::unique_ptr<TemporaryDirectory> directory = std::make_unique<TemporaryDirectory>();
    Service service = {};
  };
  Place& at(char name) { return counters_.at(static_cast<std::size_t>(name - 'a')); }
  const Place& at(char name) const { return counters_.at(static_cast<std::size_t>(name - 'a')); }

  std::vector<Place> counters_;
  const Endpoint balancer_door_;
  Service balancer_;
  std::deque<Service> envoys_;  // references to its elements stay valid
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_PARTITION_H_
