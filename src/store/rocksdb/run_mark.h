#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tracker::store::rocksdb {

/// What the last run of a store, or the current one, says about its write-ahead logs. From it, a start can tell a log
/// that a crash cut off from a log that lost its end. The mark is the file MARK in the database's directory. It is one
/// sector, rewritten in place and synced:
///
///  - before the first commit of a run, which takes back what the previous run said about its end;
///  - before the first commit in each new log, if logs are laid out on disk (watched_file_system.h);
///  - at a clean end, after everything that was committed is synced.
///
/// RocksDB begins a new manifest each time it opens a database. So a mark belongs to the files beside it if it names
/// their manifest. Otherwise an older copy of the files was put back, or a tracker without marks ran, and the mark is
/// ignored.
struct RunMark {
  /// The manifest: its name, and the number of its first bytes that were read, with their checksum.
  struct Run {
    std::string manifest;
    std::uint64_t bytes = 0;
    std::uint32_t checksum = 0;
  };
  Run run;
  /// The logs that this run wrote, by number.
  std::uint64_t first_log = 0;
  std::uint64_t last_log = 0;
  /// Whether each of them was laid out on disk before the first commit in it.
  bool laid_out = false;
  /// The last commit, after a clean end.
  std::optional<std::uint64_t> ended_with;
};

/// The current run of the database in `directory`, or the last one. Throws StoreError.
RunMark::Run run_of(const std::string& directory);

/// Writes and syncs the mark. Throws StoreError.
void write_mark(const std::string& directory, const RunMark& mark);

struct FoundMark {
  /// Nothing if there is no mark that belongs to the files beside it.
  std::optional<RunMark> mark;
  /// Why a mark is ignored, if one is.
  std::optional<std::string> ignored;
};

/// Reads the mark. Throws StoreError if it cannot be read.
FoundMark find_mark(const std::string& directory);

}  // namespace tracker::store::rocksdb
