#include "support/exactness.h"

#include <algorithm>

namespace tracker::tests {
namespace {

using Observations = std::vector<Observation>;

// The observations of one key, sorted, and the violations found in them.
class KeyJudge {
 public:
  KeyJudge(const Observations& observations, const KeptCount& kept, const std::string& name)
      : kept_(kept), name_(name) {
    for (const Observation& observation : observations) {
      if (observation.counted()) by_count_.push_back(observation);
      if (observation.perhaps()) perhaps_.push_back(observation);
    }
    by_answered_ = by_count_;
    const auto sort = [](Observations& all, auto field) {
      std::sort(all.begin(), all.end(),
                [field](const Observation& a, const Observation& b) { return a.*field < b.*field; });
    };
    sort(by_count_, &Observation::count);
    sort(by_answered_, &Observation::answered);
    sort(perhaps_, &Observation::sent);
  }

  std::vector<std::string> judge() {
    judge_distinct();
    if (judge_stored()) judge_missing();
    judge_order();
    return std::move(violations_);
  }

 private:
  void violated(const std::string& how) { violations_.push_back(name_ + ": " + how); }

  // Rule 1.
  void judge_distinct() {
    for (std::size_t i = 1; i < by_count_.size(); ++i) {
      if (by_count_[i].count != by_count_[i - 1].count) continue;
      violated("the count " + std::to_string(by_count_[i].count) + " was given out twice");
    }
  }

  bool judge_stored() {
    const std::size_t violations_before = violations_.size();
    const auto answered = static_cast<std::int64_t>(by_count_.size());
    const auto perhaps = static_cast<std::int64_t>(perhaps_.size());
    const std::string numbers = (kept_.before == 0 ? "" : std::to_string(kept_.before) + " before, ") +
                                std::to_string(answered) + " answered, " + std::to_string(perhaps) +
                                " perhaps, " + std::to_string(kept_.after) + " stored";
    if (kept_.after < kept_.before) {
      violated("the count went backwards: " + numbers);
    } else if (kept_.after < kept_.before + answered) {
      violated("counts were lost: " + numbers);
    }
    if (kept_.after > kept_.before + answered + perhaps) violated("too much was counted: " + numbers);
    if (!by_count_.empty()) {
      if (const std::int64_t highest = by_count_.back().count; highest > kept_.after) {
        violated(std::to_string(highest) + " was answered, but " + numbers);
      }
      if (const std::int64_t lowest = by_count_.front().count; lowest < 1) {
        violated("a count below 1 was answered");
      } else if (lowest <= kept_.before) {
        violated(std::to_string(lowest) + " was answered, but it had been counted before: " + numbers);
      }
    }
    return violations_.size() == violations_before;
  }

  // Rule 3. The numbers that no client got are gaps between those that clients got. A request that was perhaps counted
  // can be in a gap only if nothing above the gap was answered before it was sent.
  void judge_missing() {
    std::int64_t missing = 0;
    std::int64_t seen = kept_.before;
    for (std::size_t i = 0; i <= by_count_.size(); ++i) {
      const std::int64_t next = i < by_count_.size() ? by_count_[i].count : kept_.after + 1;
      if (next > seen + 1) {
        missing += next - seen - 1;
        const std::int64_t candidates = sent_below(next);
        if (missing > candidates) {
          return violated("the counts up to " + std::to_string(next - 1) + " lack " +
                          std::to_string(missing) + ", but only " + std::to_string(candidates) +
                          " requests of unknown fate can have been those");
        }
      }
      seen = next;
    }
  }

  // How many requests of unknown fate were sent before this count or a higher one was answered.
  std::int64_t sent_below(std::int64_t count) const {
    const auto first = std::find_if(by_answered_.begin(), by_answered_.end(),
                                    [&](const Observation& other) { return other.count >= count; });
    if (first == by_answered_.end()) return static_cast<std::int64_t>(perhaps_.size());
    return std::count_if(perhaps_.begin(), perhaps_.end(),
                         [&](const Observation& perhaps) { return perhaps.sent <= first->answered; });
  }

  // Rule 4. In the order of sending, each count must be above all counts that were answered before.
  void judge_order() {
    Observations by_sent = by_answered_;
    std::sort(by_sent.begin(), by_sent.end(),
              [](const Observation& a, const Observation& b) { return a.sent < b.sent; });
    std::size_t before = 0;
    std::int64_t highest = kept_.before;
    for (const Observation& observation : by_sent) {
      for (; by_answered_[before].answered < observation.sent; ++before) {
        highest = std::max(highest, by_answered_[before].count);
      }
      if (observation.count > highest || highest == kept_.before) continue;
      violated(std::to_string(observation.count) + " was counted after " + std::to_string(highest) +
               " had been answered");
    }
  }

  const KeptCount kept_;
  const std::string& name_;
  Observations by_count_;
  Observations by_answered_;
  Observations perhaps_;
  std::vector<std::string> violations_;
};

}  // namespace

std::vector<std::string> violations_of_key(const Observations& observations, const KeptCount& kept,
                                           const std::string& name) {
  return KeyJudge(observations, kept, name).judge();
}

std::vector<std::string> exactness_violations(const Observations& observations,
                                              const std::vector<std::int64_t>& stored) {
  std::vector<Observations> by_key(stored.size());
  for (const Observation& observation : observations) by_key.at(observation.key).push_back(observation);
  std::vector<std::string> violations;
  for (std::size_t key = 0; key < by_key.size(); ++key) {
    const auto its = violations_of_key(by_key[key], {0, stored[key]}, "key " + std::to_string(key));
    violations.insert(violations.end(), its.begin(), its.end());
  }
  return violations;
}

}  // namespace tracker::tests
