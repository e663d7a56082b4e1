#include "store/rocksdb/store_watch.h"

#include "runtime/workers.h"

namespace tracker::store::rocksdb {

namespace {
constexpr auto look_pause = std::chrono::milliseconds(250);
}

StoreWatch::StoreWatch(const DataDirectory& directory, DamagedTables& damaged_tables)
    : directory_(directory),
      damaged_tables_(damaged_tables),
      thread_(runtime::start_thread("store-watch", [this] { run(); })) {}

StoreWatch::~StoreWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_one();
  thread_.join();
}

void StoreWatch::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, look_pause, [this] { return stopping_; })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

void StoreWatch::look() {
  if (const auto line = damaged_tables_.due(DamagedTables::Clock::now())) runtime::log_warning(*line);
  const auto readiness = directory_.readiness();
  const bool was_in_place = is_in_place();
  in_place_ = readiness.is_ready();
  readiness_.set(readiness);
  if (!readiness.is_ready()) {
    changes_.bad("not ready: " + readiness.why_not());
  } else if (!was_in_place) {
    changes_.good("ready: " + directory_.path() + " is in its place again");
  }
}

}  // namespace tracker::store::rocksdb
