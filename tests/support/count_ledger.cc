#include "support/count_ledger.h"

#include <algorithm>

namespace tracker::tests {

std::vector<std::string> CountLedger::judge(std::vector<Observation> observations,
                                            const std::vector<Reading>& readings) {
  std::vector<std::string> violations;
  const auto add = [&](const std::vector<std::string>& more) {
    violations.insert(violations.end(), more.begin(), more.end());
  };
  const auto by_key = [](const auto& a, const auto& b) { return a.key < b.key; };
  std::sort(observations.begin(), observations.end(), by_key);
  std::vector<Reading> sorted = readings;
  std::sort(sorted.begin(), sorted.end(), by_key);

  auto at = observations.begin();
  const auto judge_unread = [&](auto end) {
    for (; at != end; at = std::upper_bound(at, end, *at, by_key)) {
      violations.push_back(name_(at->key) + ": it was asked for and cannot be read");
    }
  };
  for (const auto& [key, count] : sorted) {
    const auto [first, last] = std::equal_range(at, observations.end(), Observation{.key = key}, by_key);
    judge_unread(first);
    add(violations_of_key({first, last}, {this->count(key), count - 1}, name_(key)));
    at = last;
    if (key >= counts_.size()) counts_.resize(key + 1);
    counts_[key] = count;
  }
  judge_unread(observations.end());
  return violations;
}

}  // namespace tracker::tests
