#pragma once

#include <chrono>
#include <memory>

#include "store/counter_store.h"
#include "store/redis/redis_address.h"

namespace tracker::store {

struct RedisSettings {
  RedisAddress redis;
  /// A Redis that has not replied for so long is taken for hung: what was sent is perhaps counted, and the
  /// connection is made anew.
  std::chrono::milliseconds reply_deadline{2'000};
};

/// Counts in Redis, over one pipelined connection that a thread of its own keeps. It connects, and connects
/// again, by itself; while it cannot, every hit is refused at once. What was sent is never sent again.
class RedisStore final : public CounterStore {
 public:
  /// Starts to connect; a Redis that is not there is no error.
  explicit RedisStore(const RedisSettings& settings);

  /// Nothing is under way any more.
  ~RedisStore() override;

  void track(const domain::HitBatch& hits, TrackReply& reply) override;
  void add_token(const domain::TokenId& id, domain::Deadline deadline, AddReply& reply) override;
  std::optional<std::string> why_not_ready() const override;

 private:
  class Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace tracker::store
