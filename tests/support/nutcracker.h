#ifndef TRACKER_TESTS_SUPPORT_NUTCRACKER_H_
#define TRACKER_TESTS_SUPPORT_NUTCRACKER_H_

#include <memory>
#include <string>
#include <vector>

#include "support/endpoint.h"
#include "support/program.h"
#include "support/temporary_directory.h"

namespace tracker::tests {

// A real nutcracker on a port of 127.0.0.1, with the configuration in packaging/nutcracker.yml, but for the ports. It ends
// with this object. Main thread of the test only.
class Nutcracker {
 public:
  // How many Redis the configuration names.
  static constexpr std::size_t servers = 3;

  // Returns when it answers. The Redis need not be there.
  explicit Nutcracker(const std::vector<Endpoint>& redis);

  const Endpoint& endpoint() const { return endpoint_; }
  std::string address() const { return endpoint_.to_string(); }

  // Starts it, again on the same port. wait_until_it_answers() returns when it does.
  void launch();
  void wait_until_it_answers();
  Program& program() { return *program_; }

 private:
  void choose_ports();
  // Returns false if it ended because a port was taken.
  bool wait_for_answer();
  bool answers() const;

  const std::vector<Endpoint> redis_;
  const TemporaryDirectory directory_;
  Endpoint endpoint_;
  Endpoint statistics_;
  std::unique_ptr<Program> program_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_NUTCRACKER_H_
