#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "domain/slot.h"
#include "store/counter_store.h"
#include "store/rocksdb/database.h"

namespace tracker::store::rocksdb {

/// Finds the slots that have a token, on a thread of its own. It reads the tokens in small steps, and pauses after each
/// one for as long as it took, so that counting has the disk and the processor.
class SlotSearch {
 public:
  /// `database` must outlive it.
  explicit SlotSearch(Database& database);

  /// Ends the thread. Searches that are not finished fail.
  ~SlotSearch();

  /// Any thread. `reply` is called on the thread of the search.
  void find(SlotsReply& reply);

 private:
  void run();
  domain::Result<domain::SlotSet> search();
  bool pause(std::chrono::steady_clock::duration how_long);

  Database& database_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<SlotsReply*> waiting_;  // mutex_
  bool stopping_ = false;             // mutex_
  std::thread thread_;
};

}  // namespace tracker::store::rocksdb
