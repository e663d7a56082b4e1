#include "envoy/worker_deadlines.h"

#include <algorithm>

namespace tracker::envoy {

WorkerDeadlines::WorkerDeadlines(boost::asio::io_context& context, const EnvoySettings& settings)
    : queues_{runtime::DeadlineQueue(settings.request_deadline),
              runtime::DeadlineQueue(settings.head_deadline), runtime::DeadlineQueue(settings.idle_deadline),
              runtime::DeadlineQueue(settings.write_deadline),
              runtime::DeadlineQueue(settings.linger_deadline)},
      timer_(context, [this](runtime::Clock::time_point now) { return expire(now); }) {}

void WorkerDeadlines::arm(Kind kind, runtime::Expiring& expiring) {
  queue(kind).arm(expiring, now());
  timer_.fire_by(*queue(kind).next());
}

std::optional<runtime::Clock::time_point> WorkerDeadlines::expire(runtime::Clock::time_point now) {
  for (auto& queue : queues_) queue.expire(now);
  std::optional<runtime::Clock::time_point> next;
  for (auto& queue : queues_) {
    if (const auto its_next = queue.next()) next = std::min(next.value_or(*its_next), *its_next);
  }
  publish();
  return next;
}

/// Stores only a change: a store takes the cache line from the workers that read it.
void WorkerDeadlines::publish() noexcept {
  const auto tell = [](auto& told, runtime::Clock::time_point since) {
    if (told.load(std::memory_order_relaxed) != since) told.store(since, std::memory_order_relaxed);
  };
  tell(longest_waiting_.idle, queue(Kind::idle).first_armed());
  tell(longest_waiting_.head, queue(Kind::head).first_armed());
}

}  // namespace tracker::envoy
