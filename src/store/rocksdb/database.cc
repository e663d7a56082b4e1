#include "store/rocksdb/database.h"

#include <openssl/rand.h>
#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "runtime/log.h"
#include "store/rocksdb/database_check.h"
#include "store/rocksdb/descriptor.h"
#include "store/rocksdb/no_room.h"
#include "store/rocksdb/stored_values.h"
#include "store/rocksdb/watched_file_system.h"

namespace tracker::store::rocksdb {

namespace fs = std::filesystem;

namespace {

/// RocksDB's own log is not kept. What matters comes as the error of a call.
class NoLog final : public ::rocksdb::Logger {
 public:
  NoLog() : Logger(::rocksdb::InfoLogLevel::FATAL_LEVEL) {}
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

/// Receives the errors of RocksDB's own threads, in flushes and compactions.
class ErrorListener final : public ::rocksdb::EventListener {
 public:
  ErrorListener(std::shared_ptr<WatchedFileSystem> files, std::function<void(const std::string&)> on_fatal)
      : files_(std::move(files)), on_fatal_(std::move(on_fatal)) {}

  void OnBackgroundError(::rocksdb::BackgroundErrorReason /*reason*/, ::rocksdb::Status* error) override {
    if (error->IsNoSpace()) return files_->on_stopped(*error);
    on_fatal_(error->IsCorruption() ? "damaged: " + error->ToString() + "; restore a backup"
                                    : error->ToString());
  }
  /// Database::try_reopen() recovers instead.
  void OnErrorRecoveryBegin(::rocksdb::BackgroundErrorReason /*reason*/, ::rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  const std::shared_ptr<WatchedFileSystem> files_;
  const std::function<void(const std::string&)> on_fatal_;
};

/// For a database that is not served: only shortages are reported.
struct UnwatchedFiles {
  std::shared_ptr<WatchedFileSystem> files = std::make_shared<WatchedFileSystem>("", false, nullptr, nullptr);
  std::unique_ptr<::rocksdb::Env> environment = ::rocksdb::NewCompositeEnv(files);
};

[[noreturn]] void throw_failed(const std::string& what, const ::rocksdb::Status& status) {
  throw_if_no_room(what, status);
  throw StoreError(what + ": " + status.ToString() + "; check the disk");
}

constexpr int cache_shard_bits = 2;

std::size_t write_buffer_bytes(const RocksDbSettings& settings) {
  return std::max<std::size_t>(settings.cache_bytes / 8, 64 << 10U);
}

::rocksdb::Options options_for(const RocksDbSettings& settings) {
  ::rocksdb::Options options;
  options.info_log = std::make_shared<NoLog>();
  // check_database() reads the logs more strictly than any of RocksDB's modes. It lets pass only a last record that a
  // crash cut off. RocksDB must leave that out, also if it lies in zeros.
  options.wal_recovery_mode = ::rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  options.paranoid_checks = true;
  // The contents of the logs become a table at once. After an fsync that failed, they may not be on the disk, although
  // the kernel shows them and another fsync would succeed.
  options.avoid_flush_during_recovery = false;
  // No table is made at the end: everything is in the logs, except what the store drew once, which is in a table.
  options.avoid_flush_during_shutdown = true;
  options.skip_stats_update_on_db_open = true;
  options.max_bgerror_resume_count = 0;
  options.max_open_files = static_cast<int>(tables_open_max);
  options.max_background_jobs = 2;
  options.compression = ::rocksdb::kNoCompression;
  options.level_compaction_dynamic_level_bytes = true;
  options.write_buffer_size = write_buffer_bytes(settings);
  options.target_file_size_base = settings.table_bytes;
  options.max_write_buffer_number = 3;
  options.memtable_prefix_bloom_size_ratio = 0.1;  // so that a new counter need not be looked for in it
  options.memtable_whole_key_filtering = true;
  options.manifest_preallocation_size = 64 << 10U;

  ::rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(::rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  // Few shards, because the filter of a table (3 MiB) must fit into one. (A partitioned filter would fit into more, but
  // then RocksDB before 9.4 reads parts of the index from disk even if it must not: its pull request 12757.)
  table.block_cache = ::rocksdb::NewLRUCache(settings.cache_bytes / 5, cache_shard_bits);
  options.table_factory.reset(::rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

/// The name of the first table in a text of RocksDB's; empty if there is none.
std::string table_in(const std::string& words) {
  constexpr std::string_view extension = ".sst";
  const auto end = words.find(extension);
  if (end == std::string::npos) return "";
  const auto begin = words.find_last_not_of("0123456789", end - 1) + 1;
  return words.substr(begin, end + extension.size() - begin);
}

/// Whether a read that failed like this will always fail: the file is damaged or missing, or its disk cannot read it.
bool is_damage(const ::rocksdb::Status& status) {
  return status.IsCorruption() || status.IsPathNotFound() ||
         (status.IsIOError() && status.ToString().ends_with(error_text(EIO)));
}

/// Draws what the store lacks of its secret and its id, and writes it to disk. It is in no log, where each record is a
/// commit.
void draw_missing(::rocksdb::DB& db) {
  ::rocksdb::WriteOptions not_logged;
  not_logged.disableWAL = true;
  ::rocksdb::Status status;
  bool is_complete = true;
  for (const auto& key : {secret_key, id_key}) {
    if (read_drawn(db, key)) continue;
    is_complete = false;
    DrawnBytes drawn{};
    if (RAND_bytes(reinterpret_cast<unsigned char*>(drawn.data()), static_cast<int>(drawn.size())) != 1) {
      throw StoreError("the system gives no random numbers");
    }
    if (status.ok()) {
      status = db.Put(not_logged, ::rocksdb::Slice(key), ::rocksdb::Slice(drawn.data(), drawn.size()));
    }
  }
  if (!is_complete && status.ok()) status = db.Flush({});
  if (!status.ok()) throw_failed("cannot write the secret and the id of the store", status);
}

::rocksdb::Slice slice_of(const domain::TokenId& id) noexcept {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

/// The contents of a log become a table. They must be on disk in the log too; otherwise the next start would find more
/// in the tables than in the logs.
void sync_logs(const std::string& directory) {
  for (const auto& path : files_in(directory, ".log")) {
    const auto log = open_file(path, O_RDONLY);
    if (log.is_open() && ::fdatasync(log.number()) == 0) continue;
    const auto about = "cannot sync " + path + ": " + error_text(errno);
    if (const auto lacking = log.is_open() ? std::nullopt : shortage(errno)) throw NoRoom(*lacking, about);
    throw StoreError(about + "; check the disk");
  }
}

/// Of all logs. Nothing: the directory cannot be read.
std::optional<std::uintmax_t> log_bytes(const std::string& directory) {
  std::error_code error;
  std::uintmax_t bytes = 0;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() != ".log") continue;
    std::error_code gone;  // RocksDB removes logs
    const auto its = entry->file_size(gone);
    if (!gone) bytes += its;
  }
  return error ? std::nullopt : std::optional(bytes);
}

}  // namespace

void CommitWrite::begin(const CommitFacts& facts) {
  batch_.Clear();
  must_be_synced_ = false;
  const auto number = encode_value(facts.number);
  const auto tokens = encode_value(facts.tokens);
  std::array<char, commit_facts_bytes> value{};
  std::copy(number.begin(), number.end(), value.begin());
  std::copy(tokens.begin(), tokens.end(), value.begin() + sizeof number);
  batch_.Put(::rocksdb::Slice(commit_key), ::rocksdb::Slice(value.data(), value.size()))
      .PermitUncheckedError();
  batch_.PutLogData(::rocksdb::Slice(secret_.data(), secret_.size())).PermitUncheckedError();
}

void CommitWrite::end() {
  batch_.PutLogData(::rocksdb::Slice(commit_end)).PermitUncheckedError();
}

void CommitWrite::put(std::string_view key, std::int64_t value) {
  const auto bytes = encode_value(static_cast<std::uint64_t>(value));
  batch_.Put(::rocksdb::Slice(key), ::rocksdb::Slice(bytes.data(), bytes.size())).PermitUncheckedError();
}

void CommitWrite::put_token(std::string_view key, const TokenValue& token) {
  batch_.Put(::rocksdb::Slice(key), token.to_bytes()).PermitUncheckedError();
}

void CommitWrite::put_record(std::string_view record) {
  must_be_synced_ = true;
  batch_.Put(::rocksdb::Slice(record_key), encode_record(record)).PermitUncheckedError();
}

void CommitWrite::put_moves(const StoredMoves& moves) {
  must_be_synced_ = true;
  batch_.Put(::rocksdb::Slice(moves_key), encode_record(moves.to_string())).PermitUncheckedError();
}

void CommitWrite::remove(std::string_view key) {
  batch_.Delete(::rocksdb::Slice(key)).PermitUncheckedError();
}

void Database::create(const std::string& directory, const RocksDbSettings& settings) {
  const UnwatchedFiles files;
  auto options = options_for(settings);
  options.env = files.environment.get();
  options.create_if_missing = true;
  options.error_if_exists = true;
  ::rocksdb::DB* raw = nullptr;
  auto status = ::rocksdb::DB::Open(options, directory, &raw);
  const std::unique_ptr<::rocksdb::DB> db(raw);
  if (status.ok()) {
    draw_missing(*db);
    // Moves the table to the last level, so that the first starts have one table less.
    status = db->CompactRange({}, nullptr, nullptr);
    if (status.ok()) status = db->Close();
  }
  if (!status.ok()) throw_failed("cannot make the database", status);
}

Database::Database(std::string directory, const RocksDbSettings& settings)
    : directory_(std::move(directory)), settings_(settings) {
  open();
}

Database::~Database() {
  close();
}

void Database::open() {
  files_ = std::make_shared<WatchedFileSystem>(directory_, lays_logs_out(), settings_.on_fatal,
                                               [this](std::uint64_t log) {
                                                 mark_.last_log = log;
                                                 if (mark_.laid_out) write_mark(directory_, mark_);
                                               });
  environment_ = ::rocksdb::NewCompositeEnv(files_);
  auto options = options_for(settings_);
  options.env = environment_.get();
  const auto found = check_database(directory_, options);
  if (found.mark_ignored) runtime::log_warning(*found.mark_ignored);
  left_out_bytes_at_open_ = found.left_out_bytes;
  sync_logs(directory_);

  options.listeners.push_back(std::make_shared<ErrorListener>(files_, settings_.on_fatal));
  ::rocksdb::DB* raw = nullptr;
  const auto status = ::rocksdb::DB::Open(options, directory_, &raw);
  db_.reset(raw);
  if (!status.ok()) throw_failed("cannot open the database", status);
  facts_at_open_ = read_commit_facts(*db_);
  if (facts_at_open_.number != found.last_commit) {
    throw DamageError(std::to_string(found.last_commit) + " commits were found, and RocksDB has " +
                      std::to_string(facts_at_open_.number));
  }
  draw_missing(*db_);
  secret_ = read_drawn(*db_, secret_key).value();
  id_ = read_drawn(*db_, id_key).value();
  record_at_open_ = read_record(*db_);
  moves_at_open_ = read_moves(*db_);
  begin_run();
  files_->arm();
}

void Database::begin_run() {
  mark_ = {.run = run_of(directory_),
           .first_log = files_->last_log(),
           .last_log = files_->last_log(),
           .laid_out = lays_logs_out(),
           .ended_with = std::nullopt};
  write_mark(directory_, mark_);
}

void Database::close() {
  if (db_ == nullptr) return;
  try {
    const bool is_synced = lacking() == 0 && db_->SyncWAL().ok();
    const auto last_commit = is_synced ? read_commit_facts(*db_).number : 0;
    const bool is_closed = db_->Close().ok();
    db_.reset();
    if (is_synced && is_closed && files_->lacking() == 0 && marks_end_) end_run(last_commit);
  } catch (const StoreError& error) {
    db_.reset();
    runtime::log_warning("the end of the store in " + directory_ + " is not marked: " + error.what());
  }
}

void Database::end_run(std::uint64_t last_commit) {
  mark_.ended_with = last_commit;
  mark_.last_log = files_->last_log();
  write_mark(directory_, mark_);
}

bool Database::write(CommitWrite& write) {
  ::rocksdb::WriteOptions options;
  options.sync = write.must_be_synced() || settings_.durability.kind == Durability::Kind::commit;
  const auto status = db_->Write(options, &write.batch());
  if (status.ok()) return true;
  if (!status.IsNoSpace()) settings_.on_fatal(status.ToString());
  if (files_->lacking() == 0) files_->on_stopped(status);
  return false;
}

/// If a read failed because of a damaged table, notes that and returns true.
bool Database::note_damage(const ::rocksdb::Status& status) {
  const auto table = is_damage(status) ? table_in(status.ToString()) : "";
  if (table.empty()) return false;
  const auto line =
      damaged_tables_.found(directory_ + "/" + table, status.ToString(), DamagedTables::Clock::now());
  if (line) runtime::log_warning(*line);
  return true;
}

Reading Database::reading_of(std::string_view key, const ::rocksdb::Status& status,
                             const ::rocksdb::Slice& bytes) {
  if (status.IsNotFound()) return {};
  if (!status.ok())
    return {.kind = Reading::Kind::failed, .error = status.ToString(), .damaged = note_damage(status)};
  const auto value = bytes.ToStringView();
  const bool may_have_facts = key.size() == sizeof(domain::TokenId);
  const auto number = decode_value(may_have_facts ? value.substr(0, sizeof(Value)) : value);
  if (!number) return {.kind = Reading::Kind::failed, .error = "a value that is no count"};
  Reading reading{.kind = Reading::Kind::found, .value = static_cast<std::int64_t>(*number)};
  if (may_have_facts) reading.facts = value.substr(sizeof(Value));
  return reading;
}

std::optional<Reading> Database::read_in_memory(std::string_view key) {
  ::rocksdb::ReadOptions options;
  options.read_tier = ::rocksdb::kBlockCacheTier;
  ::rocksdb::PinnableSlice value;
  const std::shared_lock lock(in_use_);
  const auto status = db_->Get(options, db_->DefaultColumnFamily(), ::rocksdb::Slice(key), &value);
  // If RocksDB before 9.1 would have to open a table, it returns OK and no value (its pull request 12443).
  const bool needs_disk = status.IsIncomplete() || (status.ok() && value.empty());
  return needs_disk ? std::nullopt : std::optional(reading_of(key, status, value));
}

std::vector<Reading> Database::read(const std::vector<::rocksdb::Slice>& keys) {
  std::vector<::rocksdb::PinnableSlice> values(keys.size());
  std::vector<::rocksdb::Status> statuses(keys.size());
  const std::shared_lock lock(in_use_);
  if (db_ == nullptr)
    return {keys.size(), Reading{.kind = Reading::Kind::failed, .error = "the store has no room"}};
  db_->MultiGet({}, db_->DefaultColumnFamily(), keys.size(), keys.data(), values.data(), statuses.data());
  std::vector<Reading> readings(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i)
    readings[i] = reading_of(keys[i].ToStringView(), statuses[i], values[i]);
  return readings;
}

/// Seeks from token to token, over the counters that follow each.
std::optional<std::vector<domain::TokenId>> Database::tokens_from(const domain::TokenId& first,
                                                                  std::size_t tokens_max) {
  ::rocksdb::ReadOptions options;
  options.fill_cache = false;  // the cache is for counting
  std::vector<domain::TokenId> tokens;
  const std::shared_lock lock(in_use_);
  if (db_ == nullptr) return std::nullopt;  // the log says that the store has no room
  const std::unique_ptr<::rocksdb::Iterator> entry(db_->NewIterator(options));
  for (std::optional next = first; next && tokens.size() < tokens_max;
       next = domain::next_id(tokens.back())) {
    entry->Seek(slice_of(*next));
    while (entry->Valid() && entry->key().size() < sizeof(domain::TokenId)) entry->Next();
    if (!entry->Valid()) break;
    auto& id = tokens.emplace_back();
    std::copy_n(entry->key().data(), id.bytes.size(), reinterpret_cast<char*>(id.bytes.data()));
  }
  if (const auto status = entry->status(); !status.ok()) {
    if (!note_damage(status)) tokens_log_.warning("the tokens cannot be read: " + status.ToString());
    return std::nullopt;
  }
  return tokens;
}

domain::TokenRecord::Paths Database::count_paths(std::string_view token_key) {
  domain::TokenRecord::Paths paths;
  const auto its = entries();
  for (its->seek(token_key); its->is_valid() && its->key().starts_with(token_key); its->next()) {
    const auto path_bytes = its->key().size() - token_key.size();
    if (path_bytes == 0) continue;
    ++paths.number;
    paths.bytes += path_bytes;
  }
  return paths;
}

Database::Entries::Entries(Database& database, std::shared_lock<std::shared_mutex> lock)
    : database_(database), lock_(std::move(lock)), iterator_([&] {
        ::rocksdb::ReadOptions options;
        options.fill_cache = false;  // the cache is for counting
        options.readahead_size = std::size_t{256} << 10U;
        return database.db_->NewIterator(options);
      }()) {}

Database::Entries::~Entries() = default;

void Database::Entries::seek(std::string_view key) {
  iterator_->Seek(::rocksdb::Slice(key));
}

bool Database::Entries::is_valid() const {
  // The store is opened again once there is room, and not while this lives.
  if (database_.lacking() != 0)
    throw StoreError("the store has no room; make room on its disk, and do the same again");
  if (iterator_->Valid()) return true;
  const auto status = iterator_->status();
  if (status.ok()) return false;
  database_.note_damage(status);
  throw_because_of(status);
}

void Database::Entries::next() {
  iterator_->Next();
}

std::string_view Database::Entries::key() const {
  return iterator_->key().ToStringView();
}

TokenValue Database::Entries::token_value() const {
  const auto bytes = iterator_->value().ToStringView();
  const auto number = decode_value(bytes.substr(0, sizeof(Value)));
  auto value = number ? TokenValue::of(*number, bytes.substr(sizeof(Value))) : std::nullopt;
  if (!value) throw DamageError("a record of a token that makes no sense");
  return std::move(*value);
}

std::uint64_t Database::Entries::number() const {
  const auto number = decode_value(iterator_->value().ToStringView());
  if (!number) throw DamageError("a value that is no count");
  return *number;
}

std::unique_ptr<Database::Entries> Database::entries() {
  std::shared_lock lock(in_use_);
  if (db_ == nullptr) throw StoreError("the store has no room; make room on its disk");
  return std::make_unique<Entries>(*this, std::move(lock));
}

void Database::compact() {
  const std::shared_lock lock(in_use_);
  if (db_ == nullptr) return;
  ::rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  const auto status = db_->CompactRange(options, nullptr, nullptr);
  if (!status.ok()) throw_because_of(status);
}

void Database::sync() {
  const std::shared_lock lock(in_use_);
  if (lacking() != 0) return;
  const auto status = db_->SyncWAL();
  if (!status.ok() && !status.IsNoSpace()) settings_.on_fatal(status.ToString());
}

int Database::lacking() const {
  return db_ == nullptr ? lacking_at_open_.load() : files_->lacking();
}

/// Whether the disk has room for what is in memory to become a table; on a small disk, for a part of it. Quotas,
/// limits, inodes and descriptors are checked by trying.
bool Database::has_room() const {
  struct statvfs disk {};
  if (::statvfs(directory_.c_str(), &disk) != 0) return false;
  const auto wanted = std::min<std::uint64_t>(write_buffer_bytes(settings_) + (std::size_t{4} << 20U),
                                              disk.f_blocks * disk.f_frsize / 8);
  if (disk.f_bavail * disk.f_frsize < wanted) return false;
  const auto path = directory_ + "/ROOM";
  const auto file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  if (!file.is_open() || ::unlink(path.c_str()) != 0) return false;
  const std::vector<char> block(4096, 'r');
  if (::write(file.number(), block.data(), block.size()) != static_cast<ssize_t>(block.size())) return false;
  return ::fallocate(file.number(), 0, 0, static_cast<off_t>(wanted)) == 0 || !shortage(errno);
}

bool Database::try_reopen() {
  if (!has_room()) return false;
  const std::unique_lock lock(in_use_, std::try_to_lock);
  if (!lock) return false;
  lacking_at_open_ = lacking();
  close();
  try {
    open();
    return true;
  } catch (const NoRoom& error) {
    lacking_at_open_ = error.error();
    db_.reset();
    return false;
  } catch (const StoreError& error) {
    settings_.on_fatal(error.what());
    return false;
  }
}

void Database::report(metrics::Page& page) const {
  const std::shared_lock lock(in_use_, std::try_to_lock);
  if (!lock || db_ == nullptr) return;
  const auto add = [&](const std::string& property, const char* name, const char* help) {
    std::uint64_t value = 0;
    if (db_->GetIntProperty(property, &value)) page.gauge(name, help, {}, static_cast<double>(value));
  };
  using Properties = ::rocksdb::DB::Properties;
  add(Properties::kEstimateLiveDataSize, "tracker_store_size_bytes",
      "Size of the data in the store, as RocksDB estimates it.");
  add(Properties::kLiveSstFilesSize, "tracker_store_tables_size_bytes", "Size of RocksDB's tables on disk.");
  add(Properties::kEstimatePendingCompactionBytes, "tracker_store_compaction_pending_bytes",
      "Bytes that RocksDB's compaction still has to write, as it estimates.");
  add(Properties::kNumRunningCompactions, "tracker_store_compactions_running",
      "Compactions of RocksDB that run now.");
  if (const auto bytes = log_bytes(directory_)) {
    page.gauge("tracker_store_log_size_bytes", "Size of RocksDB's logs on disk.", {},
               static_cast<double>(*bytes));
  }
}

void Database::copy_to(const std::string& directory) {
  {
    const std::shared_lock lock(in_use_);
    if (const auto lacks = shortage(lacking())) throw NoRoom(*lacks, "the store itself has no room");
    ::rocksdb::Checkpoint* raw = nullptr;
    auto status = ::rocksdb::Checkpoint::Create(db_.get(), &raw);
    const std::unique_ptr<::rocksdb::Checkpoint> checkpoint(raw);
    if (status.ok()) status = checkpoint->CreateCheckpoint(directory);
    if (!status.ok()) throw_failed("cannot copy the database", status);
  }
  // Everything that was committed before is in tables. The logs were copied while they were written, so their parts are
  // of different moments.
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == ".log") fs::remove(entry.path(), error);
  }
  if (error) throw StoreError("cannot remove the logs of the copy: " + error.message());
  // Opening it once gives it a log.
  const UnwatchedFiles files;
  auto options = options_for(settings_);
  options.env = files.environment.get();
  ::rocksdb::DB* raw = nullptr;
  auto status = ::rocksdb::DB::Open(options, directory, &raw);
  const std::unique_ptr<::rocksdb::DB> db(raw);
  if (status.ok()) status = db->Close();
  if (!status.ok()) throw_failed("cannot open the copy", status);
}

std::optional<std::string> Database::own_damage(const std::string& found) {
  const auto table = table_in(found);
  if (table.empty()) return std::nullopt;
  const auto path = directory_ + "/" + table;
  ::rocksdb::SstFileReader reader(options_for(settings_));
  auto status = reader.Open(path);
  if (status.ok()) status = reader.VerifyChecksum();
  if (status.ok() || !is_damage(status) || !fs::exists(path)) return std::nullopt;
  damaged_tables_.found(path, status.ToString(), DamagedTables::Clock::now());  // the caller logs it
  return path;
}

CommitFacts Database::look_through(const std::string& directory, std::uint64_t bytes_per_s) {
  auto options = options_for({});
  ::rocksdb::ReadOptions slowly;
  if (bytes_per_s != 0) {
    options.rate_limiter.reset(::rocksdb::NewGenericRateLimiter(
        static_cast<std::int64_t>(bytes_per_s), 100'000, 10, ::rocksdb::RateLimiter::Mode::kReadsOnly));
    slowly.rate_limiter_priority = ::rocksdb::Env::IO_LOW;
  }
  const auto last_commit = check_database(directory, options).last_commit;
  ::rocksdb::DB* raw = nullptr;
  auto status = ::rocksdb::DB::OpenForReadOnly(options, directory, &raw);
  const std::unique_ptr<::rocksdb::DB> db(raw);
  if (status.ok()) status = db->VerifyChecksum(slowly);
  if (!status.ok()) throw_because_of(status);
  const auto facts = read_commit_facts(*db);
  if (facts.number != last_commit) throw DamageError("its last commit is missing");
  read_record(*db);
  read_moves(*db);
  return facts;
}

}  // namespace tracker::store::rocksdb
