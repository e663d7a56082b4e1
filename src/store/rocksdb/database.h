#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "store/rocksdb/damaged_tables.h"
#include "store/rocksdb/rocksdb_settings.h"
#include "store/rocksdb/run_mark.h"
#include "store/rocksdb/stored_values.h"

namespace tracker::store::rocksdb {

class WatchedFileSystem;

/// What one key was found to have.
struct Reading {
  enum class Kind { absent, found, failed };
  Kind kind = Kind::absent;
  std::int64_t value = 0;
  std::string error;     // of failed
  bool damaged = false;  // of failed: DamagedTables have it, and the log
};

/// The changes of one commit, in the order in which they are made. Used again after begin().
class CommitWrite {
 public:
  explicit CommitWrite(const StoreSecret& secret) : secret_(secret) {}

  void begin(const CommitFacts& facts);
  void put(std::string_view key, std::int64_t value);
  void end();
  ::rocksdb::WriteBatch& batch() noexcept { return batch_; }

 private:
  const StoreSecret secret_;
  ::rocksdb::WriteBatch batch_;
};

/// The RocksDB database of a store. A key is a token's id (16 bytes) and a path, its value the count; an id alone
/// has the time when the token was minted (seconds since 1970). Values are 8 bytes, little end first.
///
/// An error that leaves open what is on disk ends the process (RocksDbSettings::on_fatal). Any thread, but for
/// what says otherwise.
class Database {
 public:
  /// Makes an empty database; `directory` does not exist. Throws StoreError.
  static void create(const std::string& directory, const RocksDbSettings& settings);

  /// Looks through the database in `directory`, and opens it only if all that was ever committed is there. What was
  /// only in its logs is in tables then, and on disk.
  /// Throws StoreError; then nothing on disk has changed, as far as the damage could be seen without.
  Database(std::string directory, const RocksDbSettings& settings);
  ~Database();

  /// Of the last commit when it was opened.
  const CommitFacts& facts_at_open() const noexcept { return facts_at_open_; }
  /// How many bytes of a torn tail its logs had then.
  std::uint64_t left_out_bytes_at_open() const noexcept { return left_out_bytes_at_open_; }
  /// Which each commit carries.
  const StoreSecret& secret() const noexcept { return secret_; }

  /// Makes the changes, and answers when they are as durable as the settings say; false: something is lacking, and
  /// they are certainly not made, nor will be. One thread.
  bool write(CommitWrite& write);

  /// What each key has, all of one moment.
  std::vector<Reading> read(const std::vector<::rocksdb::Slice>& keys);

  /// What the key has, if that can be told without the disk; nothing otherwise.
  std::optional<Reading> read_in_memory(std::string_view key);

  /// Everything that was written is on disk after this.
  void sync();

  /// What was lacking for anything since it was opened (an errno that no_room.h knows): then nothing more can be
  /// written until it is opened again. 0: nothing was.
  int lacking() const;

  /// Closes and opens it again, through the same check, if there is room now and nobody is using it. Answers whether
  /// it did. Only the thread that writes.
  bool try_reopen();

  /// Copies it into `directory`, which does not exist, without looking through it. Throws StoreError.
  void copy_to(const std::string& directory);

  /// Looks through a database that nobody has open: what opening looks at, and the checksum of every table's
  /// every block; so many bytes a second at most, 0: as fast as it can be. Answers the facts of its last commit.
  /// Changes nothing. Throws StoreError, a DamageError if it is damaged.
  static CommitFacts look_through(const std::string& directory, std::uint64_t bytes_per_s = 0);

  /// If `found`, what look_through() found damaged in a copy, names a table that is damaged in this database, too, notes
  /// that, and answers the path of the table. It holds the files of this database under the same names.
  std::optional<std::string> own_damage(const std::string& found);

  /// Its files are not at their path any more: the next close marks nothing there. Before it is destroyed.
  void leave_end_unmarked() noexcept { marks_end_ = false; }

  /// What reads have found damaged.
  DamagedTables& damaged_tables() noexcept { return damaged_tables_; }

 private:
  Reading reading_of(const ::rocksdb::Status& status, const ::rocksdb::Slice& bytes);
  void open();
  void begin_run();
  void close();
  void end_run(std::uint64_t last_commit);
  bool has_room() const;
  bool lays_logs_out() const { return settings_.durability.kind == Durability::Kind::commit; }

  const std::string directory_;
  const RocksDbSettings settings_;
  CommitFacts facts_at_open_;
  std::uint64_t left_out_bytes_at_open_ = 0;
  StoreSecret secret_{};
  RunMark mark_;  // before it is armed: whoever opens it; then: whoever makes a log, one after the other
  std::atomic<int> lacking_at_open_ = 0;  // the last try to open it again
  DamagedTables damaged_tables_;
  std::atomic<bool> marks_end_ = true;

  mutable std::shared_mutex in_use_;  // exclusive: to open and close
  std::shared_ptr<WatchedFileSystem> files_;
  std::unique_ptr<::rocksdb::Env> environment_;
  std::unique_ptr<::rocksdb::DB> db_;
};

}  // namespace tracker::store::rocksdb
