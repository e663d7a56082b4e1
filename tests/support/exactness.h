#ifndef TRACKER_TESTS_SUPPORT_EXACTNESS_H_
#define TRACKER_TESTS_SUPPORT_EXACTNESS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tracker::tests {

// One request for one token and path, and its outcome.
struct Observation {
  using Time = std::chrono::steady_clock::time_point;

  std::size_t key = 0;     // the token and path, as an index that the observer chose
  Time sent{};             // just before its first byte
  Time answered{};         // just after its answer, or its connection's end, was seen
  int status = 0;          // 0: the connection broke instead
  std::int64_t count = 0;  // if the status is 200

  bool counted() const { return status == 200; }
  // Whether it was perhaps counted: once or not at all. Any other refusal was certainly not counted.
  bool perhaps() const { return status == 504 || status == 0; }
};

// The count of a key before the first of the observed requests was sent, and after the last one.
struct KeptCount {
  std::int64_t before = 0;
  std::int64_t after = 0;
};

// Judges all requests for one key by the rules of exactness. Returns the violations, each with `name` before it. Pure.
//
// 1. The answered counts are distinct, and above the count before.
// 2. answered <= after - before <= answered + perhaps.
// 3. Each number up to the count after that no client got belongs to a request that was perhaps counted, and that was
//    sent before any higher number was answered.
// 4. If one request was answered before another was sent, its count is smaller.
std::vector<std::string> violations_of_key(const std::vector<Observation>& observations,
                                           const KeptCount& kept, const std::string& name);

// The same for many keys that began at 0. `stored` holds the count of each key afterwards.
std::vector<std::string> exactness_violations(const std::vector<Observation>& observations,
                                              const std::vector<std::int64_t>& stored);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_EXACTNESS_H_
