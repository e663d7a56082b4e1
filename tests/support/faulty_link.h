#ifndef TRACKER_TESTS_SUPPORT_FAULTY_LINK_H_
#define TRACKER_TESTS_SUPPORT_FAULTY_LINK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/endpoint.h"

namespace tracker::tests {

// A TCP link to `server` that can be told to break. Clients connect to door().
class FaultyLink {
 public:
  // gRPC clients can be disguised as tracker's own envoys, by a setting put in front of what they send.
  enum class Clients { as_they_are, look_like_envoys };

  explicit FaultyLink(const Endpoint& server, Clients clients = Clients::as_they_are);
  ~FaultyLink();
  FaultyLink(const FaultyLink&) = delete;
  FaultyLink& operator=(const FaultyLink&) = delete;

  const Endpoint& door() const { return door_; }

  // Until let_through(), what clients send still arrives, but nothing comes back to them. What the server sent
  // meanwhile then arrives after all, on connections that still exist.
  void hold_answers() { holds_answers_ = true; }
  // Until let_through(), nothing goes in either direction.
  void hold_all() { holds_answers_ = holds_requests_ = true; }
  void let_through() { holds_answers_ = holds_requests_ = false; }

  // Later connections go to this server. Existing ones stay.
  void lead_to(const Endpoint& server) { port_ = server.port; }
  // The number of connections accepted so far.
  std::size_t accepted() const { return accepted_; }

  // Breaks every existing connection (RST). Returns when that is done.
  void cut();

 private:
  struct Pair {
    int client;
    int server;
    bool broken = false;
    std::string beginning = {};  // sent by the client; kept until the client looks like an envoy
    bool changed = false;
  };

  void run();
  void accept_one();
  void forward(Pair& pair);
  // Returns false if nothing more will come.
  static bool copy(int from, int to);
  static bool copy_beginning(Pair& pair);

  std::atomic<std::uint16_t> port_;  // of the server
  std::atomic<std::size_t> accepted_ = 0;
  const Clients clients_;
  Endpoint door_;
  int listener_ = -1;
  std::atomic<bool> holds_answers_ = false;
  std::atomic<bool> holds_requests_ = false;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  // Protected by mutex_.
  std::vector<Pair> pairs_;
  // Last, so that it starts when everything else is constructed.
  std::thread thread_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_FAULTY_LINK_H_
