#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "store/counter_store.h"
#include "store/store_contents.h"

namespace tracker::store::memory {

class MemoryShard;
class ShardMutex;
struct Marks;

/// Counts in memory. The counts end with the process. The counters are divided into shards by token id, so that workers
/// seldom wait for each other. Every call replies before it returns. Nothing but what moves to another store is ever removed:
/// memory grows with the number of different pairs of token and path.
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

  /// The contents, to read and move them. A reading is of one moment as a whole. The store outlives it, and it its readers.
  std::unique_ptr<StoreContents> contents();

 private:
  class Contents;
  class Reader;

  std::vector<std::unique_lock<ShardMutex>> lock_all();
  void set_marks(SlotMarks marks);

  ReadinessSource readiness_{domain::Readiness::ready(std::chrono::system_clock::now())};
  const StoreFactsSource facts_;  // never change
  std::unique_ptr<MemoryShard[]> shards_;
  std::unique_ptr<Marks> marks_;
};

}  // namespace tracker::store::memory
