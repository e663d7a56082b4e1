#ifndef TRACKER_TESTS_SUPPORT_COUNT_LEDGER_H_
#define TRACKER_TESTS_SUPPORT_COUNT_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "support/exactness.h"

namespace tracker::tests {

// The answer to one more request for a key after the load.
struct Reading {
  std::size_t key = 0;
  std::int64_t count = 0;  // including this request
};

// The count of each key between the rounds of a run, when nothing is under way. So it stays small however long the run
// is, and no count may ever go back behind it.
class CountLedger {
 public:
  using Name = std::function<std::string(std::size_t key)>;

  // `name` returns the name of a key in violations.
  explicit CountLedger(Name name) : name_(std::move(name)) {}

  // Returns 0 for an unknown key.
  std::int64_t count(std::size_t key) const { return key < counts_.size() ? counts_[key] : 0; }

  // Judges a round: everything observed in it, and one reading after it for each observed key, and perhaps for others.
  // A key that was observed and not read is a violation. Keeps the readings.
  std::vector<std::string> judge(std::vector<Observation> observations, const std::vector<Reading>& readings);

 private:
  Name name_;
  std::vector<std::int64_t> counts_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_COUNT_LEDGER_H_
