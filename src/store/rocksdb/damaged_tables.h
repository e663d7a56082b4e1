#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "store/readiness.h"

namespace tracker::store::rocksdb {

/// The tables in which a read has found damage since the store was opened. Hits that need such a block are refused; all
/// others are counted. So the store stays ready, with a remark. Any thread.
class DamagedTables {
 public:
  using Clock = std::chrono::steady_clock;

  /// Tells that a read of this table failed, and why. Returns the line to log, or nothing if the table is known
  /// already.
  std::optional<std::string> found(const std::string& table, const std::string& reason,
                                   Clock::time_point now);

  /// Returns the line to log again if the last one was logged an hour ago.
  std::optional<std::string> due(Clock::time_point now);

  /// Always ready. It remarks what is damaged, and the remedy.
  const ReadinessSource& readiness() const noexcept { return readiness_; }

 private:
  std::string line() const;

  ReadinessSource readiness_{domain::Readiness::ready(std::chrono::system_clock::now())};

  std::mutex mutex_;
  std::map<std::string, std::string> reasons_;  // mutex_; by table
  Clock::time_point logged_;                    // mutex_
};

}  // namespace tracker::store::rocksdb
