#include "crashing/count_reader.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>

#include "support/answer_checks.h"
#include "support/deadline.h"
#include "support/raw_client.h"

namespace tracker::tests {
namespace {

constexpr std::size_t pipelined = 100;

class Reader {
 public:
  Reader(const Endpoint& envoy, const KeySpace& keys) : envoy_(envoy), keys_(keys) {}

  // Tries each of a few keys once. Returns those that must be asked for again.
  std::vector<std::size_t> read(std::span<const std::size_t> wanted) {
    std::string requests;
    for (const std::size_t key : wanted) requests += keys_.request(key);
    std::vector<std::size_t> again;
    std::size_t answered = 0;
    try {
      if (!client_) client_.emplace(envoy_);
      sent_ = std::chrono::steady_clock::now();
      client_->send(requests);
      for (; answered < wanted.size(); ++answered) {
        if (!take(client_->read_answer(), wanted[answered])) again.push_back(wanted[answered]);
      }
    } catch (const std::exception& error) {
      readings_.complaints.push_back("while reading the counts: " + std::string(error.what()));
      client_.reset();
      for (const std::size_t key : wanted.subspan(answered)) {
        readings_.others.push_back({.key = key, .sent = sent_});
        again.push_back(key);
      }
    }
    return again;
  }

  Readings take_readings() { return std::move(readings_); }
  void complain(const std::string& complaint) { readings_.complaints.push_back(complaint); }

 private:
  // Returns false if the key must be asked for again.
  bool take(const HttpAnswer& answer, std::size_t key) {
    if (answer.status == 200) {
      readings_.counts.push_back({key, count_in(answer)});
    } else if (answer.status == 401) {
      complain(keys_.name(key) + ": a token that was handed out is not known");
    } else {
      readings_.others.push_back({.key = key, .sent = sent_, .status = answer.status});
      return false;
    }
    return true;
  }

  const Endpoint& envoy_;
  const KeySpace& keys_;
  std::optional<RawClient> client_;
  Observation::Time sent_;
  Readings readings_;
};

}  // namespace

Readings read_counts(const Endpoint& envoy, const KeySpace& keys, const std::vector<std::size_t>& wanted,
                     const std::function<void()>& reach_others) {
  Reader reader(envoy, keys);
  std::vector<std::size_t> left = wanted;
  for (Deadline deadline; !left.empty();) {
    if (deadline.passed()) {
      reader.complain("there is no reading the counts of " + std::to_string(left.size()) + " keys");
      break;
    }
    std::vector<std::size_t> again;
    for (std::span<const std::size_t> rest(left); !rest.empty();) {
      const auto some = rest.first(std::min(rest.size(), pipelined));
      const auto more = reader.read(some);
      again.insert(again.end(), more.begin(), more.end());
      rest = rest.subspan(some.size());
    }
    if (again.size() < left.size()) {
      deadline = Deadline();  // it may take long while it makes progress
    } else if (reach_others) {
      reach_others();
    }
    left = std::move(again);
  }
  return reader.take_readings();
}

}  // namespace tracker::tests
