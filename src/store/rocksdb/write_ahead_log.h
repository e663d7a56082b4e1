#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>

#include "store/rocksdb/stored_values.h"

namespace tracker::store::rocksdb {

/// What a strict reading of one of RocksDB's write-ahead logs found. RocksDB itself takes some damage for the
/// end of a log, and so would lose what was answered, silently; here only this is the end:
///
///   A log may end in the middle of its last record, as a crash leaves it. That is a torn tail, and the record was
///   never answered. What is there of it is a beginning of it; or, where the log was written into zeros
///   (WatchedFileSystem), it lacks whole sectors, which are still zeros: a disk writes each of them whole or not at
///   all. No other record begins behind it. Zeros up to the end of the file may follow it, or the last whole record.
///   All else is damage.
///
/// A record holds paths, and so bytes that a client chose, perhaps to look like a record. So another record is known
/// only by what no client can write: the secret of the store, which each commit carries, or by where it stands, at the
/// start of a block or behind a fragment that stands there. Logs of stores without a secret (0.1.0 before it had one)
/// are judged by the latter alone.
///
/// Reading takes time in proportion to the size of the log, whatever is in it.
struct LogFindings {
  /// The number of the first commit, and the one after the last; equal: there is none.
  std::uint64_t first_commit = 0;
  std::uint64_t next_commit = 0;
  /// Where an incomplete last record begins.
  std::optional<std::uint64_t> torn_at;
  /// How many bytes of that there are, up to the zeros behind it.
  std::uint64_t torn_bytes = 0;
  /// Of the file.
  std::uint64_t bytes = 0;
  /// Where the last commit ends that was on disk for sure, if each is synced before the next one is written: the last
  /// one, if another one was begun, and else the one before it. 0: there is none.
  std::uint64_t synced_end = 0;
  /// In plain words, with where it is; empty: none.
  std::string damage;
  /// It could not be read to its end; then nothing is known of it.
  bool unreadable = false;

  bool empty() const noexcept { return first_commit == next_commit; }
};

/// Reads RocksDB's manifest, which is a log too, of changes to the list of tables, to its end in the same way.
/// No commits are found in it, and zeros at its end are one: a file system may leave them of what was not synced.
LogFindings read_manifest(std::istream& manifest);

/// Reads a log to its end. Understands what RocksDB 7.8 writes for this store (database.h): neither compressed
/// nor into files that were used before, each record one commit, its number in front. `secret`: the store's, if it has
/// one.
LogFindings read_write_ahead_log(std::istream& log, const std::optional<StoreSecret>& secret);

}  // namespace tracker::store::rocksdb
