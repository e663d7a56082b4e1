#ifndef TRACKER_TESTS_SUPPORT_FLEET_H_
#define TRACKER_TESTS_SUPPORT_FLEET_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "support/endpoint.h"
#include "support/program.h"
#include "support/redis_server.h"

namespace tracker::tests {

// A program that listens, and its address.
struct Service {
  std::unique_ptr<Program> program;
  Endpoint door;
  Endpoint health;

  // Returns when it listens. `door` is the name of the door in its log.
  static Service start(const Arguments& arguments, const std::string& door);
};

// One Redis, one counter, and envoys. Each can stop and start again at the same address. Main thread of the test only.
class Fleet {
 public:
  // Starts only the Redis.
  explicit Fleet(RedisServer::Keeps keeps = RedisServer::Keeps::nothing);

  RedisServer& redis() { return redis_; }

  void start_counter();
  // SIGKILL. Returns when the counter is gone.
  void kill_counter();
  Service& counter() { return counter_; }

  // Starts one more envoy.
  Service& start_envoy(const Arguments& flags = {});
  Service& envoy(std::size_t i = 0) { return envoys_.at(i); }

  // Starts everything, ready to count.
  static std::unique_ptr<Fleet> start(std::size_t envoys,
                                      RedisServer::Keeps keeps = RedisServer::Keeps::nothing);

  // Returns whether every program runs that was started and not killed here.
  bool all_running() const;

 private:
  RedisServer redis_;
  Endpoint counter_door_;
  Service counter_;
  std::vector<Service> envoys_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_FLEET_H_
