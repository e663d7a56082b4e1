#ifndef TRACKER_TESTS_SUPPORT_POWER_CUT_H_
#define TRACKER_TESTS_SUPPORT_POWER_CUT_H_

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/program.h"

namespace tracker::tests {

// Finds what a power cut would take from the files of a program. A library that is preloaded into the program
// (sync_recorder.cc) records what the program syncs. The record outlives the program's runs.
class PowerCut {
  struct File {
    std::uintmax_t synced = 0;
    std::uintmax_t content_synced = 0;  // the synced part, up to the zeros at its end
    ino_t unnamed_in = 0;               // the name is not on disk until this directory is synced
  };
  struct Unsynced {
    std::filesystem::path path;
    File& its;
    std::uintmax_t bytes;
    std::uintmax_t content;

    // The end of what was written over synced zeros.
    std::uintmax_t end_in_zeros() const { return std::min(content, its.synced); }
    bool was_written_into_zeros() const { return end_in_zeros() > its.content_synced; }
    // The bytes from synced() to all() may not be on disk.
    std::uintmax_t synced() const { return was_written_into_zeros() ? its.content_synced : its.synced; }
    std::uintmax_t all() const { return bytes > its.synced ? bytes : content; }
  };

 public:
  // `record` is a file outside the program's data.
  explicit PowerCut(std::filesystem::path record) : record_(std::move(record)) {}

  // The environment that the program needs to be watched.
  Environment environment() const;

  struct Lost {
    std::size_t files = 0;     // with a name that was not on disk
    std::size_t cut = 0;       // among those that stay
    std::uintmax_t bytes = 0;  // of both kinds
    bool table = false;        // one of these files is a table of RocksDB: it was flushing or compacting

    void add(const Unsynced& file, std::uintmax_t kept);
    std::string to_string() const;
  };
  // Returns what a cut at this moment would take from the files in `directory`. The program must be dead or idle.
  // Throws std::runtime_error, as cut() does, if no program was ever watched, because then everything would seem to be
  // lost.
  Lost unsynced(const std::filesystem::path& directory);
  // Takes it. The program must not be running. `keep` returns how many of a file's bytes are left, from the synced
  // bytes to all of them, because the disk may have written more than it had to. What was written into zeros becomes
  // zeros again, perhaps in any of the kept sectors. What overwrote other bytes stays.
  using Keep = std::function<std::uintmax_t(std::uintmax_t synced, std::uintmax_t all)>;
  using LoseSector = std::function<bool()>;
  Lost cut(
      const std::filesystem::path& directory, const Keep& keep = only_what_was_synced,
      const LoseSector& lose_sector = [] { return false; });
  static std::uintmax_t only_what_was_synced(std::uintmax_t synced, std::uintmax_t /*all*/) { return synced; }

 private:
  void read_record();
  void read_line(const std::string& line);
  std::vector<Unsynced> unsynced_files(const std::filesystem::path& directory);

  const std::filesystem::path record_;
  std::streamoff read_ = 0;  // of the record
  std::map<ino_t, File> files_;
  // The files whose names a running sync of their directory will put on disk.
  std::map<std::uint64_t, std::set<ino_t>> naming_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_POWER_CUT_H_
