#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/seeded_hash.h"
#include "domain/space_saving.h"
#include "domain/verdict.h"

namespace tracker::counter {

/// The tokens and the paths that are counted most often, since the start and over the last minute. Each thread that counts
/// has sketches of its own. collect() takes what they have seen. The memory is bounded whatever clients send: about 0.2 MiB
/// for each thread, and 3 MiB besides. Invariants:
/// 1. Sketches are in use by one thread at a time: by one that adds and has taken them out of its share, or by the one that
///    collects and holds `mutex_`.
/// 2. A thread that adds waits for none that collects, which may have been interrupted.
class Busiest {
 public:
  using Clock = std::chrono::steady_clock;

  /// How many tokens, and how many paths, each sketch counts.
  static constexpr std::size_t capacity = 512;
  /// A path of so many bytes or more is known by its first ones alone, and counted together with all that begin so.
  static constexpr std::size_t path_bytes = 256;
  /// How often collect() should be called at least.
  static constexpr auto step = std::chrono::seconds(5);

  /// `threads` is how many threads count. If there are more, some of them wait for each other.
  Busiest(std::size_t threads, Clock::time_point now);
  ~Busiest();

  /// Takes the hits that were counted. Any thread.
  void add(const domain::HitBatch& hits, std::span<const domain::HitVerdict> verdicts);

  /// Hits belong to the time between the calls before and after they came. Any thread but those that count.
  void collect(Clock::time_point now);

  enum class By : std::uint8_t { token, path };
  struct Period {
    Clock::duration length{};
    domain::FrequentKeys keys;  // token ids as their bytes, or paths
  };
  struct Periods {
    Period last_minute;  // up to a few seconds less
    Period since_start;
  };
  /// Everything up to now. Any thread but those that count.
  Periods read(By by, Clock::time_point now);

 private:
  struct Sketches;
  /// Where a thread finds its sketches. Null: it is adding to them.
  struct alignas(64) Share {
    std::atomic<Sketches*> sketches;
  };
  struct Keys {
    domain::FrequentKeys tokens;
    domain::FrequentKeys paths;
    void merge(const Keys& other);
    const domain::FrequentKeys& by(By by) const { return by == By::token ? tokens : paths; }
  };
  struct Interval {
    Clock::time_point begin;
    Keys keys;
  };

  Share& share_of_this_thread();
  void collect_locked(Clock::time_point now);

  const domain::SeededHash hash_;
  std::vector<std::unique_ptr<Sketches>> sketches_;  // all there are
  std::vector<Share> shares_;

  std::mutex mutex_;
  // Protected by it.
  Sketches* spare_;  // empty; a share gets them for its own
  const Clock::time_point start_;
  Clock::time_point collected_;
  Keys all_;
  std::deque<Interval> intervals_;  // of the last minute
};

}  // namespace tracker::counter
