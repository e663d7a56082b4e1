#ifndef TRACKER_TESTS_CRASHING_TARGET_H_
#define TRACKER_TESTS_CRASHING_TARGET_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "crashing/victim.h"
#include "support/endpoint.h"

namespace tracker::tests {

// The programs that together are one tracker, none of them started.
struct Target {
  // In an order in which to start them; the last one is the envoy.
  std::vector<std::unique_ptr<Victim>> victims;
  // Where clients ask: the same in every run.
  Endpoint envoy;

  // Those that hits may wait in: a round is over when all of these are ended. The others may live on.
  std::vector<Victim*> holders;
};

// `tracker serve` over its store in `directory`. `program` is the executable and `before` what stands before
// `serve` on its command line, `more` what follows.
struct ServeChoice {
  std::filesystem::path directory;
  std::string program = tracker_binary();
  Arguments before{};
  Arguments more{};
  bool power_cuts = true;  // half of the times that it is killed
};
Target serve_target(const ServeChoice& choice);

// One envoy, one counter and a Redis that syncs before it replies.
Target redis_target(const std::string& program = tracker_binary());

// Returns when hits can be counted again; everything was launched.
void wait_until_ready(Target& target);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_TARGET_H_
