#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "counter/counter.h"
#include "store/token_rules.h"

namespace tracker::counter {

/// Reads counts for callers that must not wait: one read after the other, on a thread that lets counting go first.
class ReadQueue {
 public:
  using MakeReader = std::function<std::unique_ptr<store::CountReader>()>;

  /// A read is refused while so many wait.
  static constexpr std::size_t waiting_max = 128;

  /// `make_reader` is called on the thread of the reads, and throws store::StoreError. Where hits are not counted because
  /// tokens move, their counts are unavailable. A token that has ended by the time of `now_s` is unknown.
  explicit ReadQueue(MakeReader make_reader, std::function<domain::Seconds()> now_s = store::system_seconds);

  /// Waits for the read that is running. The others get no outcome.
  ~ReadQueue();
  ReadQueue(const ReadQueue&) = delete;
  ReadQueue& operator=(const ReadQueue&) = delete;

  /// As Counter::read(). Any thread.
  void read(const domain::TokenId& id, const store::CountsQuery& query, domain::Deadline deadline,
            const OnRead& on_read);

 private:
  struct Read {
    domain::TokenId id;
    store::CountsQuery query;
    domain::Deadline deadline;
    OnRead on_read;
  };

  std::optional<ReadFailure> put(Read read);
  std::optional<Read> take();
  void run();
  ReadOutcome outcome_of(const Read& read);
  ReadOutcome read_now(const Read& read);

  const MakeReader make_reader_;
  const std::function<domain::Seconds()> now_s_;
  std::unique_ptr<store::CountReader> reader_;  // the thread's alone; null: not made yet

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Read> waiting_;  // mutex_
  bool ends_ = false;         // mutex_
  std::thread thread_;        // mutex_; starts with the first read
};

}  // namespace tracker::counter
