#ifndef TRACKER_TESTS_CRASHING_BLOWS_H_
#define TRACKER_TESTS_CRASHING_BLOWS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "crashing/changing_list.h"
#include "crashing/key_space.h"
#include "crashing/victim.h"

namespace tracker::tests {

// Blows against running programs. Each call draws what happens and when, does it to all `victims`, and appends what it
// did to `story`. Throws if a program does something that it must not do, such as ending badly.
class Blows {
 public:
  // The blows so far.
  struct Tally {
    std::size_t kills = 0;  // of single programs, after they had started
    std::size_t kills_in_start = 0;
    std::size_t kills_in_drain = 0;    // among the kills
    std::size_t kills_with_table = 0;  // among all of them: RocksDB was flushing or compacting
    std::size_t drains = 0;
    std::size_t stops = 0;
    std::size_t power_cuts = 0;
    std::size_t losing_power_cuts = 0;  // that lost something
    std::size_t lists = 0;              // of counters, that were given
  };

  Blows(Random& random, std::string& story, Tally& tally) : random_(random), story_(story), tally_(tally) {}

  // Lets some time pass.
  void wait(std::chrono::microseconds max);

  // Stops them for a moment. One time in `long_in` it is so long that requests get too old meanwhile.
  void stop_and_go(const std::vector<Victim*>& victims, std::uint64_t long_in);

  // Ends them by SIGKILL, perhaps while they are stopped or drain, or by draining alone. Often cuts the power then,
  // too. Returns when they are gone.
  void end(const std::vector<Victim*>& victims);

  // Writes another list, and tells its readers one after the other, or ends one and starts it again.
  void change_list(ChangingList& list, const std::vector<Victim*>& readers);

  // Starts what end() ended, often after killing it a few times while it starts. Does not wait.
  void launch(const std::vector<Victim*>& victims);

 private:
  void signal_all(const std::vector<Victim*>& victims, int signal);
  void await_end(Victim& victim, bool drained);
  void lose_some(const std::vector<Victim*>& victims);

  Random& random_;
  std::string& story_;
  Tally& tally_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_BLOWS_H_
