#ifndef TRACKER_TESTS_SUPPORT_STEADY_LOAD_H_
#define TRACKER_TESTS_SUPPORT_STEADY_LOAD_H_

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/endpoint.h"
#include "support/exactness.h"
#include "support/http_answer.h"
#include "support/raw_client.h"

namespace tracker::tests {

// Several clients that send requests all the time, a moment apart, from the constructor on. Every answer is recorded.
// One more client asks for tokens.
class SteadyLoad {
 public:
  // The request deadline plus a generous margin. An answer that takes longer is a complaint.
  static constexpr std::chrono::seconds answer_max{2 + 2};

  enum class Kind { counted, refused, perhaps };

  // Asks for each path with each token: key i is token i / paths and path i % paths. Every other client pipelines a few
  // requests at a time.
  SteadyLoad(Endpoint envoy, std::vector<std::string> tokens, std::vector<std::string> paths,
             std::size_t clients = 8);
  ~SteadyLoad();

  std::size_t seen(Kind kind) const { return seen_.at(static_cast<std::size_t>(kind)); }
  // Waits until `more` answers of this kind have come after the first `since`. Throws at the deadline.
  void wait_for(Kind kind, std::size_t more, std::size_t since) const;
  void wait_for_more(Kind kind, std::size_t more) const { wait_for(kind, more, seen(kind)); }

  // Lets every request finish. Returns everything that was observed, in no order.
  std::vector<Observation> stop();

  // Returns what the store holds for each key, by one more request each. After stop().
  std::vector<std::int64_t> read_stored() const;

  // Returns the tokens that were minted and are not valid. After stop().
  std::vector<std::string> lost_tokens() const;

  // What was wrong with answers according to the contract.
  std::vector<std::string> complaints() const;

 private:
  std::string request(std::size_t key) const;
  void run(std::size_t number);
  void mint();
  void ask(RawClient& client, std::vector<Observation>& pending);
  void record(const std::vector<Observation>& observations);
  void judge_refusal(const HttpAnswer& answer);
  void judge_time(Observation::Time sent);
  void complain(const std::string& complaint);
  bool stopping_after_a_moment();

  const Endpoint envoy_;
  const std::vector<std::string> tokens_;
  const std::vector<std::string> paths_;
  std::array<std::atomic<std::size_t>, 3> seen_{};

  mutable std::mutex mutex_;
  std::condition_variable stop_;
  // Protected by mutex_.
  bool stopping_ = false;
  std::vector<Observation> observations_;
  std::vector<std::string> complaints_;
  std::vector<std::string> minted_;
  // Last, so that they start when everything else is constructed.
  std::vector<std::thread> clients_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_STEADY_LOAD_H_
