#pragma once

#include <atomic>
#include <chrono>

#include "runtime/log.h"
#include "runtime/repeating.h"
#include "store/readiness.h"
#include "store/rocksdb/damaged_tables.h"
#include "store/rocksdb/data_directory.h"

namespace tracker::store::rocksdb {

/// Checks four times a second whether the store is still where it was opened. Counts in files that were removed end
/// with the process, so hits must be refused then. Also repeats in the log what is damaged. Has a thread of its own;
/// nobody waits for it.
class StoreWatch {
 public:
  /// Both must outlive it.
  StoreWatch(const DataDirectory& directory, DamagedTables& damaged_tables);

  /// Whether the store was in its place at the last check. Cheap. Any thread.
  bool is_in_place() const noexcept { return in_place_.load(std::memory_order_relaxed); }

  /// The same, with the reason. Any thread.
  const ReadinessSource& readiness() const noexcept { return readiness_; }

 private:
  void look();

  const DataDirectory& directory_;
  DamagedTables& damaged_tables_;
  runtime::ChangeLog changes_;  // belongs to the thread
  std::atomic<bool> in_place_ = true;

  ReadinessSource readiness_{domain::Readiness::ready(std::chrono::system_clock::now())};
  runtime::Repeating looking_;
};

}  // namespace tracker::store::rocksdb
