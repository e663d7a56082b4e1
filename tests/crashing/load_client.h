#ifndef TRACKER_TESTS_CRASHING_LOAD_CLIENT_H_
#define TRACKER_TESTS_CRASHING_LOAD_CLIENT_H_

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "crashing/key_space.h"
#include "support/endpoint.h"
#include "support/exactness.h"
#include "support/http_answer.h"

namespace tracker::tests {

// Everything that a load saw.
struct Recorded {
  std::vector<Observation> hits;        // in no order; without those that were never sent whole
  std::vector<std::size_t> minted;      // tokens, by number in the key space
  std::vector<std::string> complaints;  // about answers that the contract does not allow
  std::size_t mints_failed = 0;
  std::size_t connections = 0;

  void complain(const std::string& complaint);
};

// One connection of a load. It is made anew whenever it ends. It sends turns of one or several requests at once and
// waits for all their answers. Now and then it breaks: within a request, before the answers, or between them. Never
// blocks. All times are the caller's steady clock.
class LoadClient {
 public:
  using Clock = std::chrono::steady_clock;

  LoadClient(const Endpoint& envoy, KeySpace& keys, Recorded& recorded, Random& random);
  ~LoadClient();
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  // What it waits for. Without a descriptor it waits for time to pass.
  pollfd wanted() const;
  // Does everything possible now. `revents` is what poll() said.
  void go_on(short revents, Clock::time_point now);
  // Records requests that were sent and not answered as broken.
  void break_off();

 private:
  enum class State { away, connecting, open };

  struct Asked {
    Observation hit{};
    bool mint = false;
    std::size_t end = 0;  // the end of the request in out_
  };

  void connect(Clock::time_point now);
  void start_turn();
  void send(Clock::time_point now);
  void receive();
  // Returns false if nothing more can be read from this connection.
  bool take_answers(Clock::time_point now);
  void take(const HttpAnswer& answer, Asked asked);
  void close(Clock::time_point retry);

  const Endpoint envoy_;
  KeySpace& keys_;
  Recorded& recorded_;
  Random& random_;
  int fd_ = -1;
  State state_ = State::away;
  Clock::time_point retry_{};
  // The turn: its unanswered requests, in order.
  std::deque<Asked> asked_;
  std::string out_;
  std::size_t sent_ = 0;      // bytes of out_
  std::size_t send_max_ = 0;  // bytes of out_; it breaks after sending this many, unless that is all
  std::optional<std::size_t> answers_left_;  // it breaks after this many
  std::string in_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_LOAD_CLIENT_H_
