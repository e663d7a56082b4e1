#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "store/rocksdb/database.h"

namespace tracker::store::rocksdb {

/// Syncs what was written, at the latest `interval` later, on a thread of its own. Nobody waits for it.
class IntervalSync {
 public:
  /// `database` must outlive it.
  IntervalSync(Database& database, std::chrono::milliseconds interval);
  ~IntervalSync();

  /// Tells that something was written. Any thread.
  void written();

 private:
  void run();

  Database& database_;
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_due_ = false;    // mutex_
  bool stopping_ = false;  // mutex_
  std::thread thread_;
};

}  // namespace tracker::store::rocksdb
