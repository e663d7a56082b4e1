#include "store/rocksdb/damaged_tables.h"

namespace tracker::store::rocksdb {

namespace {
constexpr auto log_pause = std::chrono::hours(1);
constexpr std::size_t tables_named_max = 8;
}  // namespace

std::optional<std::string> DamagedTables::found(const std::string& table, const std::string& reason,
                                                Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (!reasons_.emplace(table, reason).second) return std::nullopt;
  logged_ = now;
  readiness_.set(domain::Readiness::ready(std::chrono::system_clock::now(), {line()}));
  return line() + " (" + reason + ")";
}

std::optional<std::string> DamagedTables::due(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (reasons_.empty() || now < logged_ + log_pause) return std::nullopt;
  logged_ = now;
  return line() + " (" + reasons_.begin()->second + ")";
}

/// With mutex_ held.
std::string DamagedTables::line() const {
  std::string tables;
  std::size_t named = 0;
  for (const auto& [table, reason] : reasons_) {
    if (named++ == tables_named_max) break;
    tables += (tables.empty() ? "" : ", ") + table;
  }
  if (reasons_.size() > tables_named_max) {
    tables += " and " + std::to_string(reasons_.size() - tables_named_max) + " more";
  }
  return "damaged: " + tables +
         ": hits on the counters in it are refused (503); end tracker and restore a backup";
}

}  // namespace tracker::store::rocksdb
