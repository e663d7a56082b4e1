#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "store/counter_store.h"

namespace tracker::store::memory {

/// Counts in memory. The counts end with the process. The counters are divided into shards by token id, so that workers
/// seldom wait for each other. track() replies before it returns. Nothing is ever removed: memory grows with the number
/// of different pairs of token and path.
class MemoryStore final : public CounterStore {
 public:
  MemoryStore();
  ~MemoryStore() override;

  void track(const domain::HitBatch& hits, TrackReply& reply) override;
  void add_token(const domain::TokenId& id, domain::Deadline deadline, AddReply& reply) override;
  const ReadinessSource& readiness() const override { return readiness_; }

 private:
  struct Shard;
  Shard& shard_of(const domain::TokenId& id) const noexcept;

  const ReadinessSource readiness_{domain::Readiness::ready(std::chrono::system_clock::now())};  // always
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace tracker::store::memory
