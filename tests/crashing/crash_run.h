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

  // Both of one line.
  std::string of_load() const;
  std::string of_blows() const;
};

// Rounds of load, blows and judgement over one target, whose data goes on from round to round. What is drawn
// depends on the seed and the round alone; when exactly a blow falls does not. From the main thread.
class CrashRun {
 public:
  CrashRun(Target& target, std::uint64_t seed, std::size_t connections = 48);

  // Starts the target, killing it a few times over no data; it ends with the target.
  void start();

  // One round. Answers every violation; after one the run is over.
  std::vector<std::string> round();

  // Reads every key that was ever asked for, and judges them.
  std::vector<std::string> read_all();

  // What was done in the last round.
  const std::string& story() const { return story_; }
  const CrashTotals& totals() const { return totals_; }
  std::size_t keys() const { return keys_.keys(); }
  std::size_t tokens() const { return keys_.tokens(); }

 private:
  void strike_under(RecordedLoad& load);
  void strike_some(RecordedLoad& load);
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
