#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "store/counter_store.h"

namespace tracker::store::memory {

/// Counts in memory. The counts end with the process. The counters are divided into shards by token id, so that workers
/// seldom wait for each other. Every call replies before it returns. Nothing is ever removed: memory grows with the
/// number of different pairs of token and path.
class MemoryStore final : public CounterStore {
 public:
  MemoryStore();
  ~MemoryStore() override;

  void track(const domain::HitBatch& hits, TrackReply& reply) override;
  void add_token(const domain::TokenId& id, domain::Deadline deadline, AddReply& reply) override;
  const StoreFactsSource& facts() const override { return facts_; }
  /// The record is not kept: it would end with the process, and a process reads the record of its store only at the
  /// start.
  void write_record(std::string record, domain::Deadline deadline, WriteReply& reply) override;
  void find_slots(SlotsReply& reply) override;
  const ReadinessSource& readiness() const override { return readiness_; }

 private:
  struct Shard;
  Shard& shard_of(const domain::TokenId& id) const noexcept;

  const ReadinessSource readiness_{domain::Readiness::ready(std::chrono::system_clock::now())};  // always
  const StoreFactsSource facts_;  // never change
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace tracker::store::memory
