#ifndef TRACKER_TESTS_SUPPORT_COUNT_LEDGER_H_
#define TRACKER_TESTS_SUPPORT_COUNT_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "support/exactness.h"

namespace tracker::tests {

// What one more request answered for a key when the load was over.
struct Reading {
  std::size_t key = 0;
  std::int64_t count = 0;  // with this request
};

// What is known of each key between the rounds of a run: its count, and nothing under way. So it stays small,
// however long the run, and no count may ever go back behind it.
class CountLedger {
 public:
  using Name = std::function<std::string(std::size_t key)>;

  // `name` is how violations speak of a key.
  explicit CountLedger(Name name) : name_(std::move(name)) {}

  // 0 for a key that it has not heard of.
  std::int64_t count(std::size_t key) const { return key < counts_.size() ? counts_[key] : 0; }

  // Judges a round: all that was observed in it, and one reading for each key of which anything was, and for
  // any others, after all of it. A key that was observed and not read is a violation. Keeps the readings.
  std::vector<std::string> judge(std::vector<Observation> observations, const std::vector<Reading>& readings);

 private:
  Name name_;
  std::vector<std::int64_t> counts_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_COUNT_LEDGER_H_
