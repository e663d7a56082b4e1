#include "support/exactness.h"

#include <algorithm>

namespace tracker::tests {
namespace {

using Observations = std::vector<Observation>;

struct OfOneKey {
  Observations counted;
  std::int64_t perhaps = 0;
};

std::vector<OfOneKey> by_key(const Observations& observations, std::size_t keys) {
  std::vector<OfOneKey> sorted(keys);
  for (const Observation& observation : observations) {
    OfOneKey& its = sorted.at(observation.key);
    if (observation.status == 200) its.counted.push_back(observation);
    if (observation.status == 504 || observation.status == 0) ++its.perhaps;
  }
  return sorted;
}

// Each count once only; `counted` comes back in the order of the counts.
void judge_distinct(Observations& counted, const std::string& key, std::vector<std::string>& violations) {
  std::sort(counted.begin(), counted.end(),
            [](const Observation& a, const Observation& b) { return a.count < b.count; });
  for (std::size_t i = 1; i < counted.size(); ++i) {
    if (counted[i].count != counted[i - 1].count) continue;
    violations.push_back(key + "the count " + std::to_string(counted[i].count) + " was given out twice");
  }
}

void judge_stored(const OfOneKey& its, std::int64_t stored, const std::string& key,
                  std::vector<std::string>& violations) {
  const auto answered = static_cast<std::int64_t>(its.counted.size());
  const std::string numbers = std::to_string(answered) + " answered, " + std::to_string(its.perhaps) +
                              " perhaps, " + std::to_string(stored) + " stored";
  if (stored < answered) violations.push_back(key + "counts were lost: " + numbers);
  if (stored > answered + its.perhaps) violations.push_back(key + "too much was counted: " + numbers);
  if (its.counted.empty()) return;
  const std::int64_t highest = its.counted.back().count;
  if (highest > stored) {
    violations.push_back(key + std::to_string(highest) + " was answered, but " + numbers);
  }
  if (its.counted.front().count < 1) violations.push_back(key + "a count below 1 was answered");
}

// In the order in which they were sent, each count must be above all those that were answered before.
void judge_order(const Observations& counted, const std::string& key, std::vector<std::string>& violations) {
  Observations by_sent = counted;
  Observations by_answered = counted;
  std::sort(by_sent.begin(), by_sent.end(),
            [](const Observation& a, const Observation& b) { return a.sent < b.sent; });
  std::sort(by_answered.begin(), by_answered.end(),
            [](const Observation& a, const Observation& b) { return a.answered < b.answered; });
  std::size_t before = 0;
  std::int64_t highest = 0;
  for (const Observation& observation : by_sent) {
    for (; by_answered[before].answered < observation.sent; ++before) {
      highest = std::max(highest, by_answered[before].count);
    }
    if (observation.count > highest) continue;
    violations.push_back(key + std::to_string(observation.count) + " was counted after " +
                         std::to_string(highest) + " had been answered");
  }
}

}  // namespace

std::vector<std::string> exactness_violations(const Observations& observations,
                                              const std::vector<std::int64_t>& stored) {
  std::vector<std::string> violations;
  std::vector<OfOneKey> keys = by_key(observations, stored.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::string key = "key " + std::to_string(i) + ": ";
    judge_distinct(keys[i].counted, key, violations);
    judge_stored(keys[i], stored[i], key, violations);
    judge_order(keys[i].counted, key, violations);
  }
  return violations;
}

}  // namespace tracker::tests
