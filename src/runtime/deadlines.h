#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <functional>
#include <optional>

namespace tracker::runtime {

using Clock = std::chrono::steady_clock;

/// Something that expires. Belongs to one worker; leaves its queue when it is destroyed.
class Expiring
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  /// Its deadline has passed; it has left its queue.
  virtual void on_deadline(Clock::time_point now) = 0;

  void disarm() noexcept { unlink(); }
  bool is_armed() const noexcept { return is_linked(); }

 protected:
  ~Expiring() = default;

 private:
  friend class DeadlineQueue;
  Clock::time_point deadline_;
};

/// Things that all expire the same time after they were armed: a list in order of arming, so arming,
/// disarming and looking for the next are all O(1). Not synchronised.
class DeadlineQueue {
 public:
  explicit DeadlineQueue(Clock::duration duration) : duration_(duration) {}

  /// Starts the time of `expiring` (again), whichever queue it is in.
  void arm(Expiring& expiring, Clock::time_point now) noexcept;

  /// Calls on_deadline() of what is due.
  void expire(Clock::time_point now);

  std::optional<Clock::time_point> next() const noexcept;

  /// When the one that was armed first was armed; the latest time there is if none is.
  Clock::time_point first_armed() const noexcept {
    return expiring_.empty() ? Clock::time_point::max() : expiring_.front().deadline_ - duration_;
  }

  /// The one that was armed first of those for which `fits(expiring, armed_at)` holds. Looks at no more than
  /// `looks_max`, and at none that was armed after `latest`. Null if there is none.
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
  /// `expire` is called when a deadline may have passed, and answers when the next one is.
  DeadlineTimer(boost::asio::io_context& context,
                std::function<std::optional<Clock::time_point>(Clock::time_point now)> expire)
      : timer_(context), expire_(std::move(expire)) {}

  /// The timer will fire at `deadline` or earlier. Cheap if it would anyway.
  void fire_by(Clock::time_point deadline);

  /// It fires no more.
  void stop();

 private:
  void wait();

  boost::asio::steady_timer timer_;
  std::function<std::optional<Clock::time_point>(Clock::time_point now)> expire_;
  Clock::time_point fires_at_ = Clock::time_point::max();
  bool stopped_ = false;
};

}  // namespace tracker::runtime
