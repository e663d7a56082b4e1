#ifndef TRACKER_TESTS_CRASHING_BLOWS_H_
#define TRACKER_TESTS_CRASHING_BLOWS_H_

#include <string>
#include <vector>

#include "crashing/key_space.h"
#include "crashing/victim.h"

namespace tracker::tests {

// What is done to running programs. Each call draws what exactly and when, does it to all `victims`, and
// appends to `story` what it did. Throws if a program does what it must not, such as to end badly.
class Blows {
 public:
  Blows(Random& random, std::string& story) : random_(random), story_(story) {}

  // Lets some time pass.
  void wait(std::uint64_t ms_max);

  // Stops them for a moment, seldom for so long that requests get too old meanwhile.
  void stop_and_go(const std::vector<Victim*>& victims);

  // Ends them: by SIGKILL, also while they are stopped or drain, or by draining alone. Often the power goes
  // then, too. Returns when they are gone.
  void end(const std::vector<Victim*>& victims);

  // Starts what end() ended, often after killing it a few times while it starts. Does not wait.
  void launch(const std::vector<Victim*>& victims);

 private:
  void signal_all(const std::vector<Victim*>& victims, int signal);
  void await_end(Victim& victim, bool drained);

  Random& random_;
  std::string& story_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_BLOWS_H_
