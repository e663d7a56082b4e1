#ifndef TRACKER_TESTS_CRASHING_COUNT_READER_H_
#define TRACKER_TESTS_CRASHING_COUNT_READER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "crashing/key_space.h"
#include "support/count_ledger.h"
#include "support/endpoint.h"

namespace tracker::tests {

// The answers to one more request for each of some keys.
struct Readings {
  std::vector<Reading> counts;
  // The requests that got no count and were sent again. The judge must know of them.
  std::vector<Observation> others;
  std::vector<std::string> complaints;  // such as about an unknown token
};

// Asks for each key once. If the answer is neither a count nor that the token is unknown, asks again until it is.
Readings read_counts(const Endpoint& envoy, const KeySpace& keys, const std::vector<std::size_t>& wanted);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_COUNT_READER_H_
