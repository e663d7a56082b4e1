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

// What a power cut would take from the files of a program: a library that is preloaded into it
// (sync_recorder.cc) writes down what it syncs. The record outlives the program's runs.
class PowerCut {
  struct File {
    std::uintmax_t synced = 0;
    std::uintmax_t content_synced = 0;  // of that, up to the zeros at its end
    ino_t unnamed_in = 0;               // its name waits for a sync of this directory
  };
  struct Unsynced {
    std::filesystem::path path;
    File& its;
    std::uintmax_t bytes;
    std::uintmax_t content;

    // What of it was written over zeros that were synced.
    std::uintmax_t end_in_zeros() const { return std::min(content, its.synced); }
    bool was_written_into_zeros() const { return end_in_zeros() > its.content_synced; }
    // From where to where it may not be on disk.
    std::uintmax_t synced() const { return was_written_into_zeros() ? its.content_synced : its.synced; }
    std::uintmax_t all() const { return bytes > its.synced ? bytes : content; }
  };

 public:
  // `record`: a file of its own, not where the program keeps its data.
  explicit PowerCut(std::filesystem::path record) : record_(std::move(record)) {}

  // What the program has to be started with to be watched.
  Environment environment() const;

  struct Lost {
    std::size_t files = 0;     // whose name was not on disk
    std::size_t cut = 0;       // of those that stay
    std::uintmax_t bytes = 0;  // from both
    bool table = false;        // one of these files is a table of RocksDB's: it was flushing or compacting

    void add(const Unsynced& file, std::uintmax_t kept);
    std::string to_string() const;
  };
  // What a cut at this moment would take from the files in `directory`. The program is dead, or idle. Throws
  // std::runtime_error, here and in cut(), if no program was ever watched: then everything would seem to be lost.
  Lost unsynced(const std::filesystem::path& directory);
  // Takes it. The program does not run. `keep` says how much of a file's bytes is left, from what was synced
  // to all of them: the disk may have got further than it had to. What was written into zeros are zeros again, and
  // may be in any of the sectors that were kept; what overwrote other bytes stays.
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
  // The files that a sync of their directory, still under way, will name.
  std::map<std::uint64_t, std::set<ino_t>> naming_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_POWER_CUT_H_
