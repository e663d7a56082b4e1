#pragma once

#include <rocksdb/options.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/rocksdb/stored_values.h"

namespace tracker::store::rocksdb {

struct CheckedDatabase {
  /// The number of the last commit that it holds.
  std::uint64_t last_commit = 0;
  /// How many bytes of a torn tail its logs have.
  std::uint64_t left_out_bytes = 0;
  /// Why the mark of its last run is ignored, if one is there.
  std::optional<std::string> mark_ignored;
};

/// Looks through the database in `directory`: its manifest and tables as far as RocksDB looks at them when it opens,
/// every byte of the write-ahead logs, and the mark of its last run. Changes nothing. Throws StoreError if anything that
/// was ever committed is not there.
CheckedDatabase check_database(const std::string& directory, const ::rocksdb::Options& options);

/// The files there whose name ends so. Throws StoreError.
std::vector<std::string> files_in(const std::string& directory, const std::string& extension);

/// Throws NoRoom if a call of RocksDB's failed for a shortage, with what was being done.
void throw_if_no_room(const std::string& what, const ::rocksdb::Status& status);

/// Throws what a read of a database has met: a DamageError, or a StoreError if it may be whole and cannot be read.
[[noreturn]] void throw_because_of(const ::rocksdb::Status& status);

/// The facts of the last commit that `db` has; none of the first was made. Throws StoreError.
CommitFacts read_commit_facts(::rocksdb::DB& db);

/// Nothing: it has none, since no tracker that draws one has opened it yet. Throws StoreError.
std::optional<StoreSecret> read_secret(::rocksdb::DB& db);

}  // namespace tracker::store::rocksdb
