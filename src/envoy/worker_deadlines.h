#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "envoy/envoy_settings.h"
#include "envoy/places.h"
#include "runtime/deadlines.h"

namespace tracker::envoy {

/// All deadlines of one worker: a queue for each kind, and one timer for all queues. Belongs to the worker's thread,
/// except longest_waiting(). Invariants:
/// 1. Whatever is armed is in exactly one queue, and the queue knows how long it may wait.
/// 2. The timer fires at the earliest deadline of all queues, or before.
/// 3. longest_waiting() is as publish() last left it. It is a hint for other workers.
class WorkerDeadlines {
 public:
  /// What is waited for.
  enum class Kind : std::uint8_t {
    answer,  // the counter's, for a batch or a mint
    head,    // the rest of a request's head
    idle,    // the next request
    write,   // a client that takes its answers
    linger,  // a client that stops sending, or the last that it sends
  };

  WorkerDeadlines(boost::asio::io_context& context, const EnvoySettings& settings);

  /// Starts the time of `expiring`, or starts it again, whatever it waited for before.
  void arm(Kind kind, runtime::Expiring& expiring);

  /// The time: of the clock, or when it was held.
  runtime::Clock::time_point now() const { return held_ ? *held_ : runtime::Clock::now(); }

  /// Reads the clock once for everything until release_clock(), because a turn arms many deadlines.
  void hold_clock() { held_ = runtime::Clock::now(); }
  bool holds_clock() const noexcept { return held_.has_value(); }
  /// Reads it again if it is held.
  void renew_clock() {
    if (held_) hold_clock();
  }
  void release_clock() noexcept { held_.reset(); }

  /// As runtime::DeadlineQueue::find(), in the queue of this kind.
  template <typename Fits>
  runtime::Expiring* find(Kind kind, runtime::Clock::time_point latest, int looks_max, Fits fits) {
    return queue(kind).find(latest, looks_max, fits);
  }

  /// Publishes for other workers since when connections of this one wait, if that has changed.
  void publish() noexcept;
  const LongestWaiting& longest_waiting() const noexcept { return longest_waiting_; }  // any thread

  /// Nothing expires any more.
  void stop() { timer_.stop(); }

 private:
  runtime::DeadlineQueue& queue(Kind kind) noexcept { return queues_[static_cast<std::size_t>(kind)]; }
  std::optional<runtime::Clock::time_point> expire(runtime::Clock::time_point now);

  std::array<runtime::DeadlineQueue, 5> queues_;  // in the order of Kind
  runtime::DeadlineTimer timer_;
  std::optional<runtime::Clock::time_point> held_;
  LongestWaiting longest_waiting_;
};

}  // namespace tracker::envoy
