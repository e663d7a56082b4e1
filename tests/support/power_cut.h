#ifndef TRACKER_TESTS_SUPPORT_POWER_CUT_H_
#define TRACKER_TESTS_SUPPORT_POWER_CUT_H_

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "support/program.h"

namespace tracker::tests {

// What a power cut would take from the files of a program: a library that is preloaded into it
// (sync_recorder.cc) writes down what it syncs. The record outlives the program's runs.
class PowerCut {
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

    std::string to_string() const;
  };
  // What a cut at this moment would take from the files in `directory`. The program is dead, or idle.
  Lost unsynced(const std::filesystem::path& directory);
  // Takes it. The program does not run. What was overwritten stays.
  Lost cut(const std::filesystem::path& directory);

 private:
  struct File {
    std::uintmax_t synced = 0;
    ino_t unnamed_in = 0;  // its name waits for a sync of this directory
  };
  void read_record();
  void read_line(const std::string& line);
  template <typename Take>
  Lost go_through(const std::filesystem::path& directory, Take take);

  const std::filesystem::path record_;
  std::streamoff read_ = 0;  // of the record
  std::map<ino_t, File> files_;
  // The files that a sync of their directory, still under way, will name.
  std::map<std::uint64_t, std::set<ino_t>> naming_;
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_POWER_CUT_H_
