#ifndef TRACKER_TESTS_CRASHING_CRASH_RUN_H_
#define TRACKER_TESTS_CRASHING_CRASH_RUN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "crashing/blows.h"
#include "crashing/key_space.h"
#include "crashing/recorded_load.h"
#include "crashing/target.h"
#include "support/count_ledger.h"

namespace tracker::tests {

// What a run has seen so far.
struct CrashTotals {
  std::size_t rounds = 0;
  std::size_t counted = 0;
  std::size_t refused = 0;
  std::size_t perhaps = 0;
  std::size_t minted = 0;
  std::size_t connections = 0;
  std::size_t readings = 0;
  std::size_t perhaps_of_readings = 0;
  Blows::Tally blows;

  // Both are one line.
  std::string of_load() const;
  std::string of_blows() const;
};

// Rounds of load, blows and judgement over one target. Its data is kept from round to round. The draws depend only on
// the seed and the round. The exact moment of a blow does not. Main thread only.
class CrashRun {
 public:
  CrashRun(Target& target, std::uint64_t seed, std::size_t connections = 48);

  // Starts the target after killing it a few times while it has no data. The target ends with this object.
  void start();

  // Runs one round. Returns all violations. After a violation the run is over.
  std::vector<std::string> round();

  // Reads and judges every key that was ever asked for.
  std::vector<std::string> read_all();

  // What was done in the last round.
  const std::string& story() const { return story_; }
  const CrashTotals& totals() const { return totals_; }
  std::size_t keys() const { return keys_.keys(); }
  std::size_t tokens() const { return keys_.tokens(); }

 private:
  void strike_under(RecordedLoad& load);
  void strike_some(RecordedLoad& load);
  void change_list();
  std::vector<Victim*> some_victims();
  void account(const Recorded& recorded);
  std::vector<std::size_t> keys_to_read(const Recorded& recorded);
  std::vector<std::string> read_and_judge(const Recorded& recorded, const std::vector<std::size_t>& wanted);

  Target& target_;
  const std::uint64_t seed_;
  const std::size_t connections_;
  Random random_;
  std::string story_;
  KeySpace keys_;
  CountLedger ledger_;
  CrashTotals totals_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_CRASH_RUN_H_
