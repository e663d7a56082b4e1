#include "support/power_cut.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "support/preload.h"

namespace tracker::tests {
namespace {

namespace fs = std::filesystem;

// Sanitizers want to be the first library of a program. This library changes nothing that they watch.
std::string tolerant_options() {
  const char* options = std::getenv("ASAN_OPTIONS");
  return (options == nullptr ? std::string() : std::string(options) + ":") + "verify_asan_link_order=0";
}

ino_t inode(const fs::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) throw std::runtime_error("cannot look at " + path.string());
  return found.st_ino;
}

constexpr std::uintmax_t sector_bytes = 512;

// The size without the zeros at the end.
std::uintmax_t content_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  return bytes.find_last_not_of('\0') + 1;
}

void make_zero(const fs::path& path, std::uintmax_t begin, std::uintmax_t end) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(begin));
  file << std::string(end - begin, '\0');
  if (!file.flush()) throw std::runtime_error("cannot write to " + path.string());
}

}  // namespace

Environment PowerCut::environment() const {
  return {{"LD_PRELOAD", preload_name(SYNC_RECORDER)},
          {"SYNC_RECORD", record_.string()},
          {"ASAN_OPTIONS", tolerant_options()}};
}

std::string PowerCut::Lost::to_string() const {
  return std::to_string(bytes) + " bytes of " + std::to_string(cut) + " files, and " + std::to_string(files) +
         " whole files";
}

void PowerCut::read_record() {
  std::ifstream record(record_);
  if (!record) {
    throw std::runtime_error("the program is not watched: the library " SYNC_RECORDER
                             " was not loaded into it, or could not write " +
                             record_.string());
  }
  record.seekg(read_);
  for (std::string line; std::getline(record, line) && !record.eof(); read_ = record.tellg()) read_line(line);
}

void PowerCut::read_line(const std::string& line) {
  std::istringstream words(line);
  std::string what;
  ino_t file = 0;
  std::uint64_t number = 0;
  words >> what >> file >> number;
  if (what == "created") {
    files_[file] = {0, 0, number};
  } else if (what == "emptied") {
    files_[file].synced = 0;
    files_[file].content_synced = 0;
  } else if (what == "renaming") {
    files_[file].unnamed_in = 0;
    for (auto& [made, its] : files_) {
      if (its.unnamed_in == number) its.unnamed_in = 0;
    }
  } else if (what == "synced") {
    std::uintmax_t content = 0;
    words >> content;
    auto& its = files_[file];
    its.synced = std::max(its.synced, std::uintmax_t{number});  // syncs may overtake each other
    its.content_synced = std::max(its.content_synced, content);
  } else if (what == "naming") {
    for (const auto& [made, its] : files_) {
      if (its.unnamed_in == file) naming_[number].insert(made);
    }
  } else if (what == "named") {
    for (const ino_t named : naming_[number]) files_[named].unnamed_in = 0;
    naming_.erase(number);
  } else {
    throw std::runtime_error("not a line of a sync record: " + line);
  }
}

std::vector<PowerCut::Unsynced> PowerCut::unsynced_files(const fs::path& directory) {
  read_record();
  std::vector<Unsynced> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    File& its = files_[inode(entry.path())];
    const Unsynced file{entry.path(), its, entry.file_size(), content_bytes(entry.path())};
    if (its.unnamed_in != 0 || file.bytes > its.synced || file.was_written_into_zeros())
      found.push_back(file);
  }
  return found;
}

void PowerCut::Lost::add(const Unsynced& file, std::uintmax_t kept) {
  bytes += file.all() - kept;
  ++(file.its.unnamed_in != 0 ? files : cut);
  table = table || file.path.extension() == ".sst";
}

PowerCut::Lost PowerCut::unsynced(const fs::path& directory) {
  Lost lost;
  for (const Unsynced& file : unsynced_files(directory)) {
    lost.add(file, file.its.unnamed_in != 0 ? 0 : file.synced());
  }
  return lost;
}

PowerCut::Lost PowerCut::cut(const fs::path& directory, const Keep& keep, const LoseSector& lose_sector) {
  Lost lost;
  for (const Unsynced& file : unsynced_files(directory)) {
    if (file.its.unnamed_in != 0) {
      lost.add(file, 0);
      fs::remove(file.path);
      continue;
    }
    std::uintmax_t kept = keep(file.synced(), file.all());
    const std::uintmax_t end_in_zeros = file.end_in_zeros();
    if (kept < end_in_zeros) kept = std::max(file.synced(), kept / sector_bytes * sector_bytes);
    lost.add(file, kept);
    const std::uintmax_t kept_in_zeros = std::min(kept, end_in_zeros);
    for (auto begin = file.synced(); begin < kept_in_zeros;) {
      const auto end = std::min(kept_in_zeros, (begin / sector_bytes + 1) * sector_bytes);
      if (lose_sector()) make_zero(file.path, begin, end);
      begin = end;
    }
    if (kept < end_in_zeros) make_zero(file.path, kept, end_in_zeros);
    file.its.synced = std::max(kept, file.its.synced);  // the rest is on disk
    if (file.bytes > file.its.synced) fs::resize_file(file.path, file.its.synced);
    file.its.content_synced = content_bytes(file.path);
  }
  // The program is not running, so the record can start anew. That keeps it small.
  naming_.clear();
  if (fs::exists(record_)) fs::resize_file(record_, 0);
  read_ = 0;
  return lost;
}

}  // namespace tracker::tests
