#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "store/rocksdb/database.h"

namespace tracker::store::rocksdb {

/// Brings to disk what was written, at the latest `interval` after it was, on a thread of its own: nobody
/// waits for it.
class IntervalSync {
 public:
  /// `database` outlives it.
  IntervalSync(Database& database, std::chrono::milliseconds interval);
  ~IntervalSync();

  /// Something was written. Any thread.
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
