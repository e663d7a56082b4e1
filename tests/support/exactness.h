#ifndef TRACKER_TESTS_SUPPORT_EXACTNESS_H_
#define TRACKER_TESTS_SUPPORT_EXACTNESS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tracker::tests {

// One request for one token and path, and what became of it.
struct Observation {
  using Time = std::chrono::steady_clock::time_point;

  std::size_t key = 0;     // the token and path, by an index of the observer's
  Time sent;               // just before its first byte
  Time answered;           // just after its answer, or its connection's end, was seen
  int status = 0;          // 0: the connection broke instead
  std::int64_t count = 0;  // of a 200
};

// Judges what was observed of everybody who asked for these keys by the contract's rules of exactness:
// answered counts are distinct; answered <= stored <= answered + perhaps, where a 504 and a broken connection
// are perhaps counted and every other refusal is not; what was answered before another was sent has the
// smaller count. `stored` is what each key's count was afterwards. Answers the violations, none if all is
// well. Pure.
std::vector<std::string> exactness_violations(const std::vector<Observation>& observations,
                                              const std::vector<std::int64_t>& stored);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_EXACTNESS_H_
