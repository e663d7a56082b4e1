#include "store/rocksdb/database_check.h"

#include <rocksdb/db.h>
#include <rocksdb/wal_filter.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "store/rocksdb/rocksdb_settings.h"
#include "store/rocksdb/write_ahead_log.h"

namespace tracker::store {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void throw_damaged(const std::string& what) {
  throw StoreError("damaged: " + what + "; restore a backup, or choose another directory");
}

/// Lets RocksDB tell which logs still count, and replay none of them.
class LogNumber final : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "LogNumber"; }
  void ColumnFamilyLogNumberMap(const std::map<std::uint32_t, std::uint64_t>& numbers,
                                const std::map<std::string, std::uint32_t>& /*names*/) override {
    for (const auto& [family, number] : numbers) smallest_ = number;
  }
  WalProcessingOption LogRecordFound(unsigned long long /*log*/, const std::string& /*name*/,
                                     const rocksdb::WriteBatch& /*batch*/, rocksdb::WriteBatch* /*changed*/,
                                     bool* /*was_changed*/) override {
    return WalProcessingOption::kStopReplay;
  }

  /// Nothing: there is no log.
  std::optional<std::uint64_t> smallest() const { return smallest_; }

 private:
  std::optional<std::uint64_t> smallest_;
};

/// The write-ahead logs that still count, by number.
std::map<std::uint64_t, fs::path> logs_from(const std::string& directory, std::uint64_t smallest) {
  std::map<std::uint64_t, fs::path> logs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() != ".log") continue;
    const auto name = entry.path().stem().string();
    std::uint64_t number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number);
    if (number >= smallest) logs.emplace(number, entry.path());
  }
  if (error) throw StoreError("cannot read " + directory + ": " + error.message());
  return logs;
}

/// The part that RocksDB would take for an end.
void check_manifest(const std::string& directory) {
  std::ifstream current(directory + "/CURRENT");
  std::string name;
  std::getline(current, name);
  std::ifstream manifest(directory + "/" + name, std::ios::binary);
  if (name.empty() || !manifest) throw_damaged("the file that " + directory + "/CURRENT names is missing");
  const auto found = read_manifest(manifest);
  if (!found.damage.empty()) throw_damaged(directory + "/" + name + " has " + found.damage);
}

struct ReadLog {
  fs::path path;
  LogFindings found;
};

std::vector<ReadLog> read_logs(const std::map<std::uint64_t, fs::path>& paths) {
  std::vector<ReadLog> logs;
  for (const auto& [number, path] : paths) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw StoreError("cannot read " + path.string() + "; see to its permissions");
    logs.push_back({path, read_write_ahead_log(file)});
    if (const auto& damage = logs.back().found.damage; !damage.empty()) {
      throw_damaged(path.string() + " has " + damage);
    }
  }
  return logs;
}

/// Each log goes on where the one before it ended, the first of them at the latest with what the tables do not
/// have. Answers the last commit.
std::uint64_t follow_commits(const std::vector<ReadLog>& logs, std::uint64_t last_commit) {
  bool is_first = true;
  for (const auto& [path, found] : logs) {
    if (found.empty()) continue;
    const bool follows =
        is_first ? found.first_commit <= last_commit + 1 : found.first_commit == last_commit + 1;
    if (!follows) throw_damaged("commits are missing between " + path.string() + " and what is before it");
    if (found.next_commit <= last_commit) throw_damaged(path.string() + " ends too early");
    last_commit = found.next_commit - 1;
    is_first = false;
  }
  return last_commit;
}

}  // namespace

CommitFacts read_commit_facts(rocksdb::DB& db) {
  std::string value;
  const auto status = db.Get({}, rocksdb::Slice(commit_key), &value);
  if (status.IsNotFound()) return {};
  const auto facts = status.ok() ? decode_facts(value) : std::nullopt;
  if (!facts) throw_damaged(status.ok() ? "the last commit makes no sense" : status.ToString());
  return *facts;
}

std::uint64_t check_database(const std::string& directory, const rocksdb::Options& options) {
  check_manifest(directory);
  LogNumber log_number;
  auto read_only = options;
  read_only.wal_filter = &log_number;
  rocksdb::DB* raw = nullptr;
  const auto status = rocksdb::DB::OpenForReadOnly(read_only, directory, &raw);
  const std::unique_ptr<rocksdb::DB> db(raw);
  if (!log_number.smallest()) {
    if (!status.ok()) throw_damaged(status.ToString());
    throw_damaged("the write-ahead log in " + directory + " is missing");
  }
  const auto paths = logs_from(directory, *log_number.smallest());
  if (paths.empty()) throw_damaged("the write-ahead log in " + directory + " is missing");
  const auto logs = read_logs(paths);
  if (!status.ok()) throw_damaged(status.ToString());
  return follow_commits(logs, read_commit_facts(*db).number);
}

}  // namespace tracker::store
