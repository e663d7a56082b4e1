#ifndef TRACKER_TESTS_CRASHING_TARGET_H_
#define TRACKER_TESTS_CRASHING_TARGET_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crashing/changing_list.h"
#include "crashing/victim.h"
#include "support/endpoint.h"

namespace tracker::tests {

// The programs that together are one tracker. None of them is started.
struct Target {
  // In an order in which they can be started. The last one is the envoy.
  std::vector<std::unique_ptr<Victim>> victims;
  // The address for clients, the same in every run.
  Endpoint envoy;

  // Whether the envoy's /readyz names counters that are away. Then all of them must be there between rounds.
  bool has_several_counters = false;

  // The programs in which hits may wait. A round is over when all of these have ended. The others may keep running.
  std::vector<Victim*> holders;
  std::vector<ServiceVictim*> services;  // those of them that are tracker's

  // Waits until all of a store in several parts is there. Then the counters must say so, too. Null: the store is in one.
  std::function<void()> wait_for_store;

  // One of so many stops is so long that others may take the place of what is stopped.
  std::uint64_t long_stop_in = 30;

  // Null: there is none. `list_readers` read it when they start, and at SIGHUP.
  std::unique_ptr<ChangingList> list;
  std::vector<Victim*> list_readers;
};

// `tracker serve` over its store in `directory`. `program` is the executable. `before` comes before `serve` on its
// command line, and `more` after it.
struct ServeChoice {
  std::filesystem::path directory;
  std::string program = tracker_binary();
  Arguments before{};
  Arguments more{};
  bool power_cuts = true;  // for half of the kills
};
Target serve_target(const ServeChoice& choice);

// One envoy, one counter and a Redis that syncs before it replies.
Target redis_target(const std::string& program = tracker_binary());

// One envoy and four counters that share the tokens, each over a store of its own in `directory`. They have a list that
// changes. With a balancer, all of them ask it for the list.
Target partitioned_target(const ServeChoice& choice, bool with_balancer);

// One envoy and two counters that share a Redis, and stand in for each other.
Target shared_target(const std::string& program = tracker_binary());

// One envoy and two counters with one store name, before a nutcracker and three Redis. The counters stand in for each
// other.
Target proxy_target(const std::string& program = tracker_binary());

// One envoy and two counters, over a Redis Cluster of three masters with a replica each, for which each answer waits.
Target cluster_target(const std::string& program = tracker_binary());

// Returns when hits can be counted again. Everything must have been launched.
void wait_until_ready(Target& target);

// Tokens that were made by one list cannot be counted by another one that gives them another owner. Gives the programs the
// list by which those can be counted that cannot be now. Returns when that is so. Everything must be up.
void turn_list(Target& target);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_TARGET_H_
