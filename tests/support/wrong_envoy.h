#ifndef TRACKER_TESTS_SUPPORT_WRONG_ENVOY_H_
#define TRACKER_TESTS_SUPPORT_WRONG_ENVOY_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/endpoint.h"

namespace tracker::tests {

// An envoy service in a few lines, for testing judges of envoys. It is correct except for one fault.
class WrongEnvoy {
 public:
  enum class Fault {
    none,
    knows_no_bearer,  // the whole Authorization is the token, as for the first
                      // tracker's envoys; a judge must accept this
    skips_a_count,
    gives_a_count_twice,
    loses_the_last_count,  // the last one of the second token
    counts_invalid_tokens,
    refuses_one,  // with 503
    drops_one,    // closes instead of answering
    mints_nothing,
  };

  explicit WrongEnvoy(Fault fault);
  ~WrongEnvoy();
  WrongEnvoy(const WrongEnvoy&) = delete;
  WrongEnvoy& operator=(const WrongEnvoy&) = delete;

  const Endpoint& door() const { return door_; }

 private:
  void accept_all();
  void serve(int fd);
  // Returns nothing if the connection must be closed.
  std::optional<std::string> answer(const std::string& head);
  std::optional<std::string> answer_count(const std::string& key);

  const Fault fault_;
  Endpoint door_;
  int listener_ = -1;
  std::mutex mutex_;
  // Protected by mutex_.
  std::vector<int> connections_;
  std::vector<std::thread> clients_;
  std::map<std::string, std::int64_t> counts_;
  int tokens_ = 0;
  int hits_ = 0;
  // Last, so that it starts when everything else is constructed.
  std::thread acceptor_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_WRONG_ENVOY_H_
