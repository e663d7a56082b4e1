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
  Time sent{};             // just before its first byte
  Time answered{};         // just after its answer, or its connection's end, was seen
  int status = 0;          // 0: the connection broke instead
  std::int64_t count = 0;  // of a 200

  bool counted() const { return status == 200; }
  // It was counted once or not at all. Every other refusal was not counted.
  bool perhaps() const { return status == 504 || status == 0; }
};

// What a key's count was before any of the observed requests was sent, and after all of them.
struct KeptCount {
  std::int64_t before = 0;
  std::int64_t after = 0;
};

// Judges what was observed of everybody who asked for one key by the contract's rules of exactness: answered
// counts are distinct, and above what was counted before; answered <= after - before <= answered + perhaps;
// every number that nobody was answered can be that of a 504 or of a broken connection that was not sent too
// late for it; what was answered before another was sent has the smaller count. Answers the violations, each
// with `name` before it; none if all is well. Pure.
std::vector<std::string> violations_of_key(const std::vector<Observation>& observations,
                                           const KeptCount& kept, const std::string& name);

// The same for many keys that started at 0. `stored` is what each key's count was afterwards.
std::vector<std::string> exactness_violations(const std::vector<Observation>& observations,
                                              const std::vector<std::int64_t>& stored);

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_EXACTNESS_H_
