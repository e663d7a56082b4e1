#include "store/rocksdb/database_check.h"

#include <rocksdb/db.h>
#include <rocksdb/iterator.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/wal_filter.h>

#include <algorithm>
#include <cerrno>
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

/// What cannot be read may be whole: then a backup would be older for nothing.
[[noreturn]] void throw_unreadable(const std::string& what) {
  throw StoreError("cannot read " + what + "; see to its permissions, the limit of open files, and the disk");
}

[[noreturn]] void throw_because_of(const rocksdb::Status& status) {
  if (status.IsIOError() && !status.IsPathNotFound()) throw_unreadable("the database: " + status.ToString());
  throw_damaged(status.ToString());
}

std::ifstream open_to_read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const int error = errno;
  if (!file && error != ENOENT) {
    throw_unreadable(path.string() + ": " + std::generic_category().message(error));
  }
  return file;
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

/// RocksDB numbers its files in the order in which it makes them.
std::uint64_t number_of(const fs::path& file) {
  const auto name = file.stem().string();
  std::uint64_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

/// The write-ahead logs that still count, by number.
std::map<std::uint64_t, fs::path> logs_from(const std::string& directory, std::uint64_t smallest) {
  std::map<std::uint64_t, fs::path> logs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() != ".log") continue;
    const auto number = number_of(entry.path());
    if (number >= smallest) logs.emplace(number, entry.path());
  }
  if (error) throw StoreError("cannot read " + directory + ": " + error.message());
  return logs;
}

/// The part that RocksDB would take for an end.
void check_manifest(const std::string& directory) {
  auto current = open_to_read(directory + "/CURRENT");
  std::string name;
  std::getline(current, name);
  if (current.bad()) throw_unreadable(directory + "/CURRENT");
  if (name.empty()) throw_damaged("the file " + directory + "/CURRENT is missing or empty");
  auto manifest = open_to_read(directory + "/" + name);
  if (!manifest) throw_damaged("the file that " + directory + "/CURRENT names is missing");
  const auto found = read_manifest(manifest);
  if (found.unreadable) throw_unreadable(directory + "/" + name);
  if (!found.damage.empty()) throw_damaged(directory + "/" + name + " has " + found.damage);
}

struct ReadLog {
  std::uint64_t number;
  fs::path path;
  LogFindings found;
};

std::vector<ReadLog> read_logs(const std::map<std::uint64_t, fs::path>& paths) {
  std::vector<ReadLog> logs;
  for (const auto& [number, path] : paths) {
    auto file = open_to_read(path);
    logs.push_back({number, path, read_write_ahead_log(file)});
    if (logs.back().found.unreadable) throw_unreadable(path.string());
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
  for (const auto& [number, path, found] : logs) {
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

/// Tables that the manifest does not name: of a flush or compaction that a crash cut off, which have no more than the
/// logs and the other tables. If one has, the manifest ends too early. (Unless a log is there that it was made of: of
/// what an fsync had failed for, a start makes a table, and the disk may still not have it in the log.)
void check_unnamed_tables(const std::string& directory, rocksdb::DB& db, const rocksdb::Options& options,
                          const std::vector<ReadLog>& logs, std::uint64_t last_commit) {
  std::vector<rocksdb::LiveFileMetaData> named;
  db.GetLiveFilesMetaData(&named);
  for (const auto& entry : fs::directory_iterator(directory)) {
    const auto name = entry.path().filename().string();
    const auto is_it = [&](const auto& table) { return table.relative_filename == name; };
    if (entry.path().extension() != ".sst" || std::any_of(named.begin(), named.end(), is_it)) continue;
    rocksdb::SstFileReader table(options);
    if (!table.Open(entry.path().string()).ok()) continue;  // it was not finished
    const std::unique_ptr<rocksdb::Iterator> found(table.NewIterator({}));
    found->Seek(rocksdb::Slice(commit_key));
    if (!found->Valid() || found->key() != rocksdb::Slice(commit_key)) continue;
    const auto facts = decode_facts(found->value().ToStringView());
    if (facts && facts->number <= last_commit) continue;
    const auto made_of = [&](const ReadLog& log) {
      return !log.found.empty() && log.number < number_of(entry.path());
    };
    if (std::any_of(logs.begin(), logs.end(), made_of)) continue;
    throw_damaged("the manifest in " + directory + " ends too early: it does not name " + name +
                  ", which has later commits");
  }
}

}  // namespace

CommitFacts read_commit_facts(rocksdb::DB& db) {
  std::string value;
  const auto status = db.Get({}, rocksdb::Slice(commit_key), &value);
  if (status.IsNotFound()) return {};
  const auto facts = status.ok() ? decode_facts(value) : std::nullopt;
  if (!status.ok()) throw_because_of(status);
  if (!facts) throw_damaged("the last commit makes no sense");
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
    if (!status.ok()) throw_because_of(status);
    throw_damaged("the write-ahead log in " + directory + " is missing");
  }
  const auto paths = logs_from(directory, *log_number.smallest());
  if (paths.empty()) throw_damaged("the write-ahead log in " + directory + " is missing");
  const auto logs = read_logs(paths);
  if (!status.ok()) throw_because_of(status);
  const auto last_commit = follow_commits(logs, read_commit_facts(*db).number);
  check_unnamed_tables(directory, *db, options, logs, last_commit);
  return last_commit;
}

}  // namespace tracker::store
