#include "runtime/deadlines.h"

#include <cassert>

namespace tracker::runtime {

void DeadlineQueue::arm(Expiring& expiring, Clock::time_point now) noexcept {
  expiring.unlink();
  expiring.deadline_ = now + duration_;
  assert(expiring_.empty() || expiring_.back().deadline_ <= expiring.deadline_);  // the order of arming
  expiring_.push_back(expiring);
}

void DeadlineQueue::expire(Clock::time_point now) {
  while (!expiring_.empty() && expiring_.front().deadline_ <= now) {
    Expiring& due = expiring_.front();
    expiring_.pop_front();
    due.on_deadline(now);
  }
}

std::optional<Clock::time_point> DeadlineQueue::next() const noexcept {
  if (expiring_.empty()) return std::nullopt;
  return expiring_.front().deadline_;
}

void DeadlineTimer::fire_by(Clock::time_point deadline) {
  if (deadline >= fires_at_ || stopped_) return;
  fires_at_ = deadline;
  wait();
}

void DeadlineTimer::stop() {
  stopped_ = true;
  timer_.cancel();
}

void DeadlineTimer::wait() {
  timer_.expires_at(fires_at_);  // this cancels an earlier wait
  timer_.async_wait([this](boost::system::error_code error) {
    if (error || stopped_) return;
    fires_at_ = Clock::time_point::max();
    if (const auto next = expire_(Clock::now())) fire_by(*next);
  });
}

}  // namespace tracker::runtime
