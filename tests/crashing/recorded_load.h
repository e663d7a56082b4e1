#ifndef TRACKER_TESTS_CRASHING_RECORDED_LOAD_H_
#define TRACKER_TESTS_CRASHING_RECORDED_LOAD_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "crashing/key_space.h"
#include "crashing/load_client.h"
#include "support/endpoint.h"

namespace tracker::tests {

// Many connections that send requests without pause, from the constructor on, in their own thread. The key space
// belongs to that thread until it is stopped.
class RecordedLoad {
 public:
  RecordedLoad(const Endpoint& envoy, KeySpace& keys, std::uint64_t seed, std::size_t connections);
  ~RecordedLoad();

  // The hits that were answered with a count so far. Any thread.
  std::size_t counted() const { return counted_; }
  // Waits for this many more of them. Returns false if they do not come in time.
  bool wait_for_counted(std::size_t more) const;

  // Breaks all connections. Returns everything that the load saw.
  Recorded stop();

 private:
  void run(std::uint64_t seed, std::size_t connections);
  void poll_once(std::vector<std::unique_ptr<LoadClient>>& clients);

  const Endpoint envoy_;
  KeySpace& keys_;
  Recorded recorded_;  // belongs to the thread until it has ended
  std::atomic<std::size_t> counted_ = 0;
  std::atomic<bool> stopping_ = false;
  // Last, so that it starts when everything else is constructed.
  std::thread thread_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_RECORDED_LOAD_H_
