#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tracker::store::rocksdb {

/// What the run of a store that has it open, or had it last, says of its write-ahead logs: so a start can tell what a
/// crash leaves of a log from what was lost. It stands in the file MARK in the database's directory, which is rewritten
/// in place, one sector, and synced:
///
///  - before the first commit of a run, which takes back what the run before it said of its end;
///  - before the first commit in each new log, if logs are laid out on disk (watched_file_system.h);
///  - at a clean end, after all that was committed is synced.
///
/// RocksDB begins a new manifest each time it opens a database. So a mark belongs to the files beside it as long as the
/// manifest is the one that it names. If not, an older copy of the files was put back, or a tracker ran that knows no
/// marks: then it says nothing.
struct RunMark {
  /// The manifest: its name, and as many of its first bytes as were looked at, with their checksum.
  struct Run {
    std::string manifest;
    std::uint64_t bytes = 0;
    std::uint32_t checksum = 0;
  };
  Run run;
  /// The logs that this run wrote, by number.
  std::uint64_t first_log = 0;
  std::uint64_t last_log = 0;
  /// Each of them was laid out on disk before anything was committed in it.
  bool laid_out = false;
  /// The last commit, after a clean end.
  std::optional<std::uint64_t> ended_with;
};

/// The run that the database in `directory` is in, or was in last. Throws StoreError.
RunMark::Run run_of(const std::string& directory);

/// The mark is on disk after this. Throws StoreError.
void write_mark(const std::string& directory, const RunMark& mark);

struct FoundMark {
  /// Nothing: there is none that belongs to the files beside it.
  std::optional<RunMark> mark;
  /// Why one is ignored that is there.
  std::optional<std::string> ignored;
};

/// Throws StoreError if it cannot be read.
FoundMark find_mark(const std::string& directory);

}  // namespace tracker::store::rocksdb
