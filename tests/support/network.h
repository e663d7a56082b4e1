#ifndef TRACKER_TESTS_SUPPORT_NETWORK_H_
#define TRACKER_TESTS_SUPPORT_NETWORK_H_

#include <string>

#include "support/program.h"

namespace tracker::tests {

// A network of its own, apart from the machine's: a network namespace, with only a loopback. It has no name, and ends with
// this object and the programs in it. So nothing stays behind, however a test ends.
class Network {
 public:
  // Throws std::runtime_error if this machine has no `ip`, or does not let this user make networks.
  Network();
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // While it lives, the calling thread is in a network, and so are sockets, threads and programs that it makes.
  class Stay {
   public:
    explicit Stay(const Network& network);
    ~Stay();
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;

   private:
    const int before_;
  };

  // Runs `ip` (iproute2) with these arguments in this network. Throws std::runtime_error with what it says if it fails.
  void ip(const Arguments& arguments) const;

  // A name that `ip` takes for this network, as long as this object lives.
  std::string path() const;

 private:
  int network_ = -1;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_NETWORK_H_
