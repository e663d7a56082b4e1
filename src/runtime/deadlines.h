#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <functional>
#include <optional>

namespace tracker::runtime {

using Clock = std::chrono::steady_clock;

/// Something with a deadline. Belongs to one worker. Its destructor takes it out of its queue.
class Expiring
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  /// Called when the deadline has passed. It is in no queue any more.
  virtual void on_deadline(Clock::time_point now) = 0;

  void disarm() noexcept { unlink(); }
  bool is_armed() const noexcept { return is_linked(); }

 protected:
  ~Expiring() = default;

 private:
  friend class DeadlineQueue;
  Clock::time_point deadline_;
};

/// Deadlines of equal length, as a list in the order of arming. So arming, disarming and finding the next deadline are
/// O(1). Not synchronised.
class DeadlineQueue {
 public:
  explicit DeadlineQueue(Clock::duration duration) : duration_(duration) {}

  /// Starts the time of `expiring`, or starts it again, and moves it here from whichever queue it is in.
  void arm(Expiring& expiring, Clock::time_point now) noexcept;

  /// Calls on_deadline() of everything that is due.
  void expire(Clock::time_point now);

  std::optional<Clock::time_point> next() const noexcept;

  /// When the first entry was armed; time_point::max() if the queue is empty.
  Clock::time_point first_armed() const noexcept {
    return expiring_.empty() ? Clock::time_point::max() : expiring_.front().deadline_ - duration_;
  }

  /// The first entry for which `fits(expiring, armed_at)` holds, or null. Looks at no more than `looks_max` entries,
  /// and at none that was armed after `latest`.
  template <typename Fits>
  Expiring* find(Clock::time_point latest, int looks_max, Fits fits) {
    for (Expiring& expiring : expiring_) {
      const auto armed_at = expiring.deadline_ - duration_;
      if (looks_max-- == 0 || armed_at > latest) return nullptr;
      if (fits(expiring, armed_at)) return &expiring;
    }
    return nullptr;
  }

 private:
  const Clock::duration duration_;
  boost::intrusive::list<Expiring, boost::intrusive::constant_time_size<false>> expiring_;
};

/// One timer over several deadline queues. Belongs to one worker.
class DeadlineTimer {
 public:
  /// `expire` is called when a deadline may have passed. It returns the next deadline, if there is one.
  DeadlineTimer(boost::asio::io_context& context,
                std::function<std::optional<Clock::time_point>(Clock::time_point now)> expire)
      : timer_(context), expire_(std::move(expire)) {}

  /// Makes the timer fire at `deadline` or earlier. Cheap if it would do so anyway.
  void fire_by(Clock::time_point deadline);

  /// The timer does not fire any more.
  void stop();

 private:
  void wait();

  boost::asio::steady_timer timer_;
  std::function<std::optional<Clock::time_point>(Clock::time_point now)> expire_;
  Clock::time_point fires_at_ = Clock::time_point::max();
  bool stopped_ = false;
};

}  // namespace tracker::runtime
