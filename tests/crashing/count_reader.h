#ifndef TRACKER_TESTS_CRASHING_COUNT_READER_H_
#define TRACKER_TESTS_CRASHING_COUNT_READER_H_

#include <cstddef>
#include <functional>
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

// Asks for each key once. If the answer is neither a count nor that the token is unknown, asks again until it is. Calls
// `reach_others`, if there is one, whenever it was of no use to ask all of them again.
Readings read_counts(const Endpoint& envoy, const KeySpace& keys, const std::vector<std::size_t>& wanted,
                     const std::function<void()>& reach_others = nullptr);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_CRASHING_COUNT_READER_H_
