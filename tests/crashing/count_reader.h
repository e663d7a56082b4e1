#ifndef TRACKER_TESTS_CRASHING_COUNT_READER_H_
#define TRACKER_TESTS_CRASHING_COUNT_READER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "crashing/key_space.h"
#include "support/count_ledger.h"
#include "support/endpoint.h"

namespace tracker::tests {

// What one request more for each of some keys answered.
struct Readings {
  std::vector<Reading> counts;
  // The requests that got no count and were sent again: what the judge must know of them.
  std::vector<Observation> others;
  std::vector<std::string> complaints;  // such as of a token that is not known
};

// Asks for each of the keys; where the answer is not that it was counted or that nobody knows, asks again
// until there is one. Each key once.
Readings read_counts(const Endpoint& envoy, const KeySpace& keys, const std::vector<std::size_t>& wanted);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_COUNT_READER_H_
