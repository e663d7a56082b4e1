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

#include "domain/token_id.h"
#include "metrics/page.h"
#include "runtime/log.h"
#include "store/rocksdb/damaged_tables.h"
#include "store/rocksdb/rocksdb_settings.h"
#include "store/rocksdb/run_mark.h"
#include "store/rocksdb/stored_moves.h"
#include "store/rocksdb/stored_values.h"

namespace tracker::store::rocksdb {

class WatchedFileSystem;

/// The result of reading one key.
struct Reading {
  enum class Kind { absent, found, failed };
  Kind kind = Kind::absent;
  std::int64_t value = 0;
  std::string facts = {};  // of a token: what follows the number
  std::string error = {};  // of failed
  bool damaged = false;    // of failed: it is in DamagedTables and in the log
};

/// The changes of one commit, in order. begin() makes it ready for the next one.
class CommitWrite {
 public:
  explicit CommitWrite(const StoreSecret& secret) : secret_(secret) {}

  void begin(const CommitFacts& facts);
  void put(std::string_view key, std::int64_t value);
  void put_token(std::string_view key, const TokenValue& token);
  void put_record(std::string_view record);
  void put_moves(const StoredMoves& moves);
  void remove(std::string_view key);
  void end();
  ::rocksdb::WriteBatch& batch() noexcept { return batch_; }
  /// Whether it must be on disk before anybody is told of it, whatever the durability of counts is.
  bool must_be_synced() const noexcept { return must_be_synced_; }

 private:
  const StoreSecret secret_;
  bool must_be_synced_ = false;
  ::rocksdb::WriteBatch batch_;
};

/// The RocksDB database of a store. A key is a token id (16 bytes) and a path; its value is the count. An id alone has
/// what is kept of the token itself (TokenValue). Counts are 8 bytes, little-endian. A shorter key is the
/// store's own (stored_values.h).
///
/// An error after which it is not known what is on disk ends the process (RocksDbSettings::on_fatal). Any thread,
/// except where a function says otherwise.
class Database {
 public:
  /// Makes an empty database. `directory` must not exist. Throws StoreError.
  static void create(const std::string& directory, const RocksDbSettings& settings);

  /// Checks the database in `directory`, and opens it only if everything that was ever committed is there. Afterwards
  /// everything from its logs is in tables on disk. Throws StoreError. Nothing on disk has changed then, unless the
  /// damage could only be seen by opening the database.
  Database(std::string directory, const RocksDbSettings& settings);
  ~Database();

  /// The facts of the last commit, when the database was opened.
  const CommitFacts& facts_at_open() const noexcept { return facts_at_open_; }
  /// How many bytes of a torn tail its logs had when it was opened.
  std::uint64_t left_out_bytes_at_open() const noexcept { return left_out_bytes_at_open_; }
  /// The secret that each commit carries.
  const StoreSecret& secret() const noexcept { return secret_; }
  /// Which store it is.
  const DrawnBytes& id() const noexcept { return id_; }
  /// The record of the store when the database was opened.
  const std::string& record_at_open() const noexcept { return record_at_open_; }

  /// The moves of the store when the database was opened.
  const StoredMoves& moves_at_open() const noexcept { return moves_at_open_; }

  /// Makes the changes, and returns when they are as durable as the settings say, or on disk if they must be synced. Returns
  /// false if something is lacking (see lacking()); then the changes are certainly not made, now or later. One thread only.
  bool write(CommitWrite& write);

  /// Reads all keys as of one moment.
  std::vector<Reading> read(const std::vector<::rocksdb::Slice>& keys);

  /// Reads the key if that needs no disk access. Otherwise returns nothing.
  std::optional<Reading> read_in_memory(std::string_view key);

  /// Finds the first tokens whose ids are not below `first`, at most `tokens_max`, in the order of their ids. Returns
  /// nothing if they cannot be read; why is in the log. A token that is being written may be missed.
  std::optional<std::vector<domain::TokenId>> tokens_from(const domain::TokenId& first,
                                                          std::size_t tokens_max);

  /// Counts the paths of a token, whose key is given, one after the other. Throws StoreError.
  domain::TokenRecord::Paths count_paths(std::string_view token_key);

  /// The entries as of the moment of the call, in the order of their keys. As long as it lives, the database is not opened
  /// again. Belongs to the thread of the call. Throws StoreError if the store has no room.
  class Entries;
  std::unique_ptr<Entries> entries();

  /// Gives the room of removed entries back to the disk. Takes time in proportion to the size of the database. Throws
  /// StoreError.
  void compact();

  /// Syncs everything that was written.
  void sync();

  /// The shortage that was met since the database was opened: an errno that no_room.h knows, or 0. After a shortage
  /// nothing can be written until it is opened again.
  int lacking() const;

  /// Closes it and opens it again, with the same check, if there is room now and nobody is using it. Returns whether it
  /// did. Only for the thread that writes.
  bool try_reopen();

  /// Copies it into `directory`, which must not exist, without checking the blocks. Throws StoreError.
  void copy_to(const std::string& directory);

  /// Checks a database that nobody has open: everything that opening checks, and the checksum of every block. Reads at
  /// most `bytes_per_s`; 0 means no limit. Returns the facts of its last commit. Changes nothing. Throws StoreError, or
  /// DamageError if it is damaged.
  static CommitFacts look_through(const std::string& directory, std::uint64_t bytes_per_s = 0);

  /// `found` is the damage that look_through() found in a copy, whose files have the names of this database's files. If
  /// the table that it names is damaged in this database too, notes that and returns the table's path.
  std::optional<std::string> own_damage(const std::string& found);

  /// Tells that the files are no longer at their path, so that closing writes no mark there.
  void leave_end_unmarked() noexcept { marks_end_ = false; }

  /// Adds its size and what its compaction has to do. Adds nothing while it is being opened again.
  void report(metrics::Page& page) const;

  /// The tables in which reads have found damage.
  DamagedTables& damaged_tables() noexcept { return damaged_tables_; }

 private:
  bool note_damage(const ::rocksdb::Status& status);
  Reading reading_of(std::string_view key, const ::rocksdb::Status& status, const ::rocksdb::Slice& bytes);
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
  DrawnBytes id_{};
  std::string record_at_open_;
  StoredMoves moves_at_open_;
  RunMark mark_;  // written by the thread that opens it, and later by the one that makes a log, one at a time
  std::atomic<int> lacking_at_open_ = 0;  // of the last attempt to open it again
  DamagedTables damaged_tables_;
  runtime::RareLog tokens_log_;
  std::atomic<bool> marks_end_ = true;

  mutable std::shared_mutex in_use_;  // held exclusively to open and close
  std::shared_ptr<WatchedFileSystem> files_;
  std::unique_ptr<::rocksdb::Env> environment_;
  std::unique_ptr<::rocksdb::DB> db_;
};

class Database::Entries {
 public:
  Entries(Database& database, std::shared_lock<std::shared_mutex> lock);
  ~Entries();

  /// Goes to the first entry whose key is not below `key`.
  void seek(std::string_view key);
  /// Whether there is an entry here. Throws StoreError if it cannot be read.
  bool is_valid() const;
  // Only while it is valid.
  void next();
  std::string_view key() const;
  std::uint64_t number() const;    // its count; throws DamageError if that is none
  TokenValue token_value() const;  // of a token; the same

 private:
  Database& database_;
  const std::shared_lock<std::shared_mutex> lock_;
  const std::unique_ptr<::rocksdb::Iterator> iterator_;
};

}  // namespace tracker::store::rocksdb
