#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>

#include "store/rocksdb/stored_values.h"

namespace tracker::store::rocksdb {

/// The result of a strict reading of one of RocksDB's write-ahead logs. RocksDB itself takes some damage for the end of
/// a log, and would silently lose counts that were answered. Here only a torn tail may be left out:
///
///   A log may end in the middle of its last record, as a crash leaves it. That record was never answered. The bytes
///   that are there are its beginning. Or, if the log was written into zeros (WatchedFileSystem), it lacks whole
///   sectors, which are still zeros: a disk writes a sector whole or not at all. No other record begins behind it.
///   Zeros may follow, up to the end of the file. They may also follow a last record that is whole. Everything else is
///   damage.
///
/// A record holds paths, and so bytes that a client chose, perhaps to look like a record. So another record is
/// recognised only by what no client can write: the secret of the store, which each commit carries; or by its place, at
/// the start of a block or behind a fragment that stands there. Stores without a secret (of early versions of 0.1.0)
/// have only the latter.
///
/// Reading takes time in proportion to the size of the log, whatever is in it.
struct LogFindings {
  /// The number of the first commit, and the number after that of the last. They are equal if there is no commit.
  std::uint64_t first_commit = 0;
  std::uint64_t next_commit = 0;
  /// Where an incomplete last record begins.
  std::optional<std::uint64_t> torn_at;
  /// The number of its bytes, up to the zeros behind it.
  std::uint64_t torn_bytes = 0;
  /// The size of the file.
  std::uint64_t bytes = 0;
  /// Where the last commit ends that was certainly on disk, if each commit is synced before the next one is written.
  /// That is the last commit if another one was begun, and otherwise the one before it. 0 if there is none.
  std::uint64_t synced_end = 0;
  /// The damage in plain words, with its place; empty if there is none.
  std::string damage;
  /// The log could not be read to its end. Then nothing is known about it.
  bool unreadable = false;

  bool empty() const noexcept { return first_commit == next_commit; }
};

/// Reads RocksDB's manifest in the same way. It is also a log, of changes to the list of tables. It contains no
/// commits. Zeros at its end count as its end: a file system may leave them in place of what was not synced.
LogFindings read_manifest(std::istream& manifest);

/// Reads a log to its end. Understands the logs that RocksDB 7.8 writes for this store (database.h): without
/// compression, not into files that were used before, and each record one commit that begins with its number. `secret`
/// is the store's, if it has one.
LogFindings read_write_ahead_log(std::istream& log, const std::optional<StoreSecret>& secret);

}  // namespace tracker::store::rocksdb
