#include "crashing/recorded_load.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "support/deadline.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;

// Bounds the wait, so that connections that are to be made get their turn.
constexpr int poll_max_ms = 2;

}  // namespace

RecordedLoad::RecordedLoad(const Endpoint& envoy, KeySpace& keys, std::uint64_t seed, std::size_t connections)
    : envoy_(envoy), keys_(keys), thread_([this, seed, connections] { run(seed, connections); }) {}

RecordedLoad::~RecordedLoad() {
  if (thread_.joinable()) stop();
}

bool RecordedLoad::wait_for_counted(std::size_t more) const {
  const std::size_t wanted = counted_ + more;
  for (const Deadline deadline; counted_ < wanted;) {
    if (deadline.passed()) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

Recorded RecordedLoad::stop() {
  stopping_ = true;
  thread_.join();
  return std::move(recorded_);
}

void RecordedLoad::run(std::uint64_t seed, std::size_t connections) {
  Random random(seed);
  std::vector<std::unique_ptr<LoadClient>> clients;
  for (std::size_t i = 0; i < connections; ++i) {
    clients.push_back(std::make_unique<LoadClient>(envoy_, keys_, recorded_, random));
  }
  while (!stopping_) poll_once(clients);
  for (auto& client : clients) client->break_off();
}

void RecordedLoad::poll_once(std::vector<std::unique_ptr<LoadClient>>& clients) {
  std::vector<pollfd> wanted;
  for (const auto& client : clients) wanted.push_back(client->wanted());
  ::poll(wanted.data(), wanted.size(), poll_max_ms);
  const auto now = LoadClient::Clock::now();
  const std::size_t seen = recorded_.hits.size();
  for (std::size_t i = 0; i < clients.size(); ++i) clients[i]->go_on(wanted[i].revents, now);
  counted_ += static_cast<std::size_t>(
      std::count_if(recorded_.hits.begin() + static_cast<std::ptrdiff_t>(seen), recorded_.hits.end(),
                    [](const Observation& hit) { return hit.counted(); }));
}

}  // namespace tracker::tests
