#include "store/rocksdb/interval_sync.h"

#include <utility>

#include "runtime/workers.h"

namespace tracker::store::rocksdb {

IntervalSync::IntervalSync(Database& database, std::chrono::milliseconds interval)
    : database_(database), interval_(interval), thread_(runtime::start_thread("sync", [this] { run(); })) {}

IntervalSync::~IntervalSync() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void IntervalSync::written() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(is_due_, true)) return;
  changed_.notify_one();
}

void IntervalSync::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait(lock, [this] { return stopping_ || is_due_; });
    changed_.wait_for(lock, interval_, [this] { return stopping_; });
    is_due_ = false;
    lock.unlock();
    database_.sync();
    lock.lock();
  }
}

}  // namespace tracker::store::rocksdb
