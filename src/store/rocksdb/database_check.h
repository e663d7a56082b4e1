#pragma once

#include <rocksdb/options.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/rocksdb/stored_moves.h"
#include "store/rocksdb/stored_values.h"

namespace tracker::store::rocksdb {

struct CheckedDatabase {
  /// The number of the last commit in it.
  std::uint64_t last_commit = 0;
  /// The number of bytes of a torn tail in its logs.
  std::uint64_t left_out_bytes = 0;
  /// Why the mark of its last run is ignored, if it is.
  std::optional<std::string> mark_ignored;
};

/// Checks the database in `directory`: the parts of its manifest and tables that RocksDB reads when it opens them,
/// every byte of the write-ahead logs, and the mark of its last run. Changes nothing. Throws StoreError if anything
/// that was ever committed is missing.
CheckedDatabase check_database(const std::string& directory, const ::rocksdb::Options& options);

/// The files in `directory` whose names have this extension. Throws StoreError.
std::vector<std::string> files_in(const std::string& directory, const std::string& extension);

/// Throws NoRoom if a call of RocksDB's failed because of a shortage. `what` says what was being done.
void throw_if_no_room(const std::string& what, const ::rocksdb::Status& status);

/// Throws the error of a read: DamageError, or StoreError if the data may be intact but cannot be read.
[[noreturn]] void throw_because_of(const ::rocksdb::Status& status);

/// The facts of the last commit in `db`, or default ones if there is none. Throws StoreError.
CommitFacts read_commit_facts(::rocksdb::DB& db);

/// What the store drew and keeps under this key. Returns nothing if no tracker that draws it has opened the store yet.
/// Throws StoreError.
std::optional<DrawnBytes> read_drawn(::rocksdb::DB& db, std::string_view key);

/// The record of the store; empty if it has none. Throws StoreError.
std::string read_record(::rocksdb::DB& db);

/// The moves of the store. Throws StoreError.
StoredMoves read_moves(::rocksdb::DB& db);

}  // namespace tracker::store::rocksdb
