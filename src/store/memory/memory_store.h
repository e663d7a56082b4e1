#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "store/count_reader.h"
#include "store/counter_store.h"
#include "store/store_contents.h"
#include "store/token_count.h"
#include "store/token_keeper.h"
#include "store/token_rules.h"

namespace tracker::store::memory {

class MemoryShard;
struct Marks;

/// Counts in memory. The counts end with the process. The counters are divided into shards by token id, so that workers
/// seldom wait for each other. Every call replies before it returns. The memory
/// grows with the number of different pairs of token and path. A token that is removed takes its counts with it, but its paths stay.
class MemoryStore final : public CounterStore {
 public:
  explicit MemoryStore(TokenRules rules = {});
  ~MemoryStore() override;

  void track(const domain::HitBatch& hits, TrackReply& reply) override;
  void add_token(const domain::TokenId& id, const domain::TokenRecord& record, domain::Deadline deadline,
                 AddReply& reply) override;
  const StoreFactsSource& facts() const override { return facts_; }
  /// The record is not kept: it would end with the process, and a process reads the record of its store only at the
  /// start.
  void write_record(std::string record, domain::Deadline deadline, WriteReply& reply) override;
  void find_slots(SlotsReply& reply) override;
  const ReadinessSource& readiness() const override { return joint_.readiness(); }
  void report(metrics::Page& page) const override;

  /// The contents, to read and move them. A reading is of one moment as a whole. The store outlives it, and it its readers.
  std::unique_ptr<StoreContents> contents();

  /// The store outlives it. Any thread.
  std::unique_ptr<CountReader> reader();

  /// The store outlives it.
  std::unique_ptr<TokenKeeper> keeper();

 private:
  class Contents;
  class Counts;
  class Keeper;
  class Reader;

  std::vector<std::unique_lock<std::mutex>> lock_all();
  void set_marks(SlotMarks marks);

  const TokenRules rules_;
  TokenCount tokens_;
  // Says what marks forbid.
  ReadinessSource readiness_{domain::Readiness::ready(std::chrono::system_clock::now())};
  const JointReadiness joint_;
  const StoreFactsSource facts_;  // never change
  std::unique_ptr<MemoryShard[]> shards_;
  std::unique_ptr<Marks> marks_;
};

}  // namespace tracker::store::memory
