#include "store/rocksdb/store_watch.h"

namespace tracker::store::rocksdb {

namespace {
constexpr auto look_pause = std::chrono::milliseconds(250);
}

StoreWatch::StoreWatch(const DataDirectory& directory, DamagedTables& damaged_tables)
    : directory_(directory), damaged_tables_(damaged_tables), looking_("store-watch", look_pause, [this] {
        look();
        return look_pause;
      }) {}

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
