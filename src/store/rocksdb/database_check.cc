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

#include "store/rocksdb/no_room.h"
#include "store/rocksdb/rocksdb_settings.h"
#include "store/rocksdb/run_mark.h"
#include "store/rocksdb/watched_file_system.h"
#include "store/rocksdb/write_ahead_log.h"

namespace tracker::store::rocksdb {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void throw_damaged(const std::string& what) {
  throw DamageError(what);
}

/// A file that cannot be read may be intact. Then restoring a backup would lose counts for nothing.
[[noreturn]] void throw_unreadable(const std::string& what) {
  throw StoreError("cannot read " + what + "; check its permissions, the limit of open files, and the disk");
}

[[noreturn]] void throw_unreadable(const std::string& what, int error) {
  const auto about = what + ": " + std::generic_category().message(error);
  if (const auto lacking = shortage(error)) throw NoRoom(*lacking, "cannot read " + about);
  throw_unreadable(about);
}

std::ifstream open_to_read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const int error = errno;
  if (!file && error != ENOENT) throw_unreadable(path.string(), error);
  return file;
}

/// Makes RocksDB report which logs are still in use, without replaying them.
class LogNumber final : public ::rocksdb::WalFilter {
 public:
  const char* Name() const override { return "LogNumber"; }
  void ColumnFamilyLogNumberMap(const std::map<std::uint32_t, std::uint64_t>& numbers,
                                const std::map<std::string, std::uint32_t>& /*names*/) override {
    for (const auto& [family, number] : numbers) smallest_ = number;
  }
  WalProcessingOption LogRecordFound(unsigned long long /*log*/, const std::string& /*name*/,
                                     const ::rocksdb::WriteBatch& /*batch*/,
                                     ::rocksdb::WriteBatch* /*changed*/, bool* /*was_changed*/) override {
    return WalProcessingOption::kStopReplay;
  }

  /// Returns nothing if there is no log.
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

/// The write-ahead logs that are still in use, by number.
std::map<std::uint64_t, fs::path> logs_from(const std::string& directory, std::uint64_t smallest) {
  std::map<std::uint64_t, fs::path> logs;
  for (const auto& path : files_in(directory, ".log")) {
    if (number_of(path) >= smallest) logs.emplace(number_of(path), path);
  }
  return logs;
}

/// The damage that RocksDB would take for the end of the log.
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

std::vector<ReadLog> read_logs(const std::map<std::uint64_t, fs::path>& paths,
                               const std::optional<StoreSecret>& secret) {
  std::vector<ReadLog> logs;
  for (const auto& [number, path] : paths) {
    auto file = open_to_read(path);
    logs.push_back({number, path, read_write_ahead_log(file, secret)});
    if (logs.back().found.unreadable) throw_unreadable(path.string());
    if (const auto& damage = logs.back().found.damage; !damage.empty()) {
      throw_damaged(path.string() + " has " + damage);
    }
  }
  return logs;
}

/// Checks that each log begins with the commit after the last one of the log before it, and that the first log leaves
/// no gap after the commits in the tables. Returns the last commit.
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

/// The least size of a log that was laid out: its first extent, and the extent of the last commit that was synced.
std::uint64_t least_bytes(const LogFindings& found) {
  constexpr auto extent = WatchedFileSystem::extent_bytes;
  return std::max<std::uint64_t>((found.synced_end + extent - 1) / extent, 1) * extent;
}

/// Checks that everything is there that the last run's mark says it had on disk.
void check_against(const RunMark& mark, const std::vector<ReadLog>& logs, std::uint64_t last_commit) {
  bool is_last_there = false;
  for (const auto& [number, path, found] : logs) {
    is_last_there = is_last_there || number == mark.last_log;
    if (!mark.laid_out || number < mark.first_log || number > mark.last_log) continue;
    if (found.bytes >= least_bytes(found)) continue;
    throw_damaged(path.string() + " has " + std::to_string(found.bytes) + " bytes, and had " +
                  std::to_string(least_bytes(found)) + " on disk");
  }
  if (mark.laid_out && !is_last_there) {
    throw_damaged("the write-ahead log " + std::to_string(mark.last_log) + " is missing");
  }
  if (mark.ended_with && last_commit < *mark.ended_with) {
    throw_damaged("it was ended with commit " + std::to_string(*mark.ended_with) +
                  " in the write-ahead log " + std::to_string(mark.last_log) + ", and has only " +
                  std::to_string(last_commit));
  }
}

/// Checks the tables that the manifest does not name. They are of a flush or a compaction that a crash cut off, and
/// have no more than the logs and the other tables. If one has more, the manifest ends too early. (Unless the log is
/// there that it was made of: after a failed fsync, a start makes a table of a log that the disk may still not have.)
void check_unnamed_tables(const std::string& directory, ::rocksdb::DB& db, const ::rocksdb::Options& options,
                          const std::vector<ReadLog>& logs, std::uint64_t last_commit) {
  std::vector<::rocksdb::LiveFileMetaData> named;
  db.GetLiveFilesMetaData(&named);
  for (const fs::path path : files_in(directory, ".sst")) {
    const auto name = path.filename().string();
    const auto is_it = [&](const auto& table) { return table.relative_filename == name; };
    if (std::any_of(named.begin(), named.end(), is_it)) continue;
    ::rocksdb::SstFileReader table(options);
    const auto status = table.Open(path.string());
    throw_if_no_room("cannot read " + path.string(), status);
    if (!status.ok()) continue;  // it was not finished
    const std::unique_ptr<::rocksdb::Iterator> found(table.NewIterator({}));
    found->Seek(::rocksdb::Slice(commit_key));
    if (!found->Valid() || found->key() != ::rocksdb::Slice(commit_key)) continue;
    const auto facts = decode_facts(found->value().ToStringView());
    if (facts && facts->number <= last_commit) continue;
    const auto made_of = [&](const ReadLog& log) {
      return !log.found.empty() && log.number < number_of(path);
    };
    if (std::any_of(logs.begin(), logs.end(), made_of)) continue;
    throw_damaged("the manifest in " + directory + " ends too early: it does not name " + name +
                  ", which has later commits");
  }
}

}  // namespace

void throw_if_no_room(const std::string& what, const ::rocksdb::Status& status) {
  if (!status.IsNoSpace()) return;
  const auto lacking = shortage(WatchedFileSystem::error_of(status));
  throw NoRoom(*lacking, what + ": " + (status.getState() == nullptr ? "" : status.getState()));
}

std::vector<std::string> files_in(const std::string& directory, const std::string& extension) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (entry->path().extension() == extension) files.push_back(entry->path().string());
  }
  if (error) throw_unreadable(directory, error.value());
  return files;
}

std::optional<DrawnBytes> read_drawn(::rocksdb::DB& db, std::string_view key) {
  std::string value;
  const auto status = db.Get({}, ::rocksdb::Slice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) throw_because_of(status);
  const auto drawn = decode_drawn(value);
  if (!drawn) throw_damaged("its " + std::string(key) + " makes no sense");
  return drawn;
}

namespace {
/// What the store keeps under this key, in the form of a record; empty if it keeps nothing.
std::string read_text(::rocksdb::DB& db, std::string_view key) {
  std::string value;
  const auto status = db.Get({}, ::rocksdb::Slice(key), &value);
  if (status.IsNotFound()) return "";
  if (!status.ok()) throw_because_of(status);
  const auto text = decode_record(value);
  if (!text) throw_damaged("its " + std::string(key) + " makes no sense");
  return *text;
}
}  // namespace

std::string read_record(::rocksdb::DB& db) {
  return read_text(db, record_key);
}

StoredMoves read_moves(::rocksdb::DB& db) {
  auto moves = StoredMoves::parse(read_text(db, moves_key));
  if (!moves)
    throw StoreError("it has been moved from or to by a newer version of tracker; use that version");
  return std::move(*moves);
}

void throw_because_of(const ::rocksdb::Status& status) {
  throw_if_no_room("cannot read the database", status);
  if (status.IsIOError() && !status.IsPathNotFound()) throw_unreadable("the database: " + status.ToString());
  throw_damaged(status.ToString());
}

CommitFacts read_commit_facts(::rocksdb::DB& db) {
  std::string value;
  const auto status = db.Get({}, ::rocksdb::Slice(commit_key), &value);
  if (status.IsNotFound()) return {};
  const auto facts = status.ok() ? decode_facts(value) : std::nullopt;
  if (!status.ok()) throw_because_of(status);
  if (!facts) throw_damaged("the last commit makes no sense");
  return *facts;
}

CheckedDatabase check_database(const std::string& directory, const ::rocksdb::Options& options) {
  check_manifest(directory);
  LogNumber log_number;
  auto read_only = options;
  read_only.wal_filter = &log_number;
  ::rocksdb::DB* raw = nullptr;
  const auto status = ::rocksdb::DB::OpenForReadOnly(read_only, directory, &raw);
  const std::unique_ptr<::rocksdb::DB> db(raw);
  if (!log_number.smallest()) {
    if (!status.ok()) throw_because_of(status);
    throw_damaged("the write-ahead log in " + directory + " is missing");
  }
  const auto paths = logs_from(directory, *log_number.smallest());
  if (paths.empty()) throw_damaged("the write-ahead log in " + directory + " is missing");
  const auto logs = read_logs(paths, status.ok() ? read_drawn(*db, secret_key) : std::nullopt);
  if (!status.ok()) throw_because_of(status);

  CheckedDatabase checked;
  checked.last_commit = follow_commits(logs, read_commit_facts(*db).number);
  for (const auto& log : logs) checked.left_out_bytes += log.found.torn_bytes;
  auto [mark, ignored] = find_mark(directory);
  checked.mark_ignored = std::move(ignored);
  if (mark) check_against(*mark, logs, checked.last_commit);
  check_unnamed_tables(directory, *db, options, logs, checked.last_commit);
  return checked;
}

}  // namespace tracker::store::rocksdb
