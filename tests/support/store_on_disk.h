#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "store/rocksdb/rocksdb_settings.h"

namespace tracker::tests {

/// Settings with which a little data is enough for tables, compactions and evictions.
inline store::rocksdb::RocksDbSettings small_settings(const std::filesystem::path& directory,
                                                      std::size_t cache_bytes = std::size_t{1} << 20U) {
  store::rocksdb::RocksDbSettings settings;
  settings.directory = directory.string();
  settings.cache_bytes = cache_bytes;
  settings.on_fatal = [](const std::string& reason) {
    std::cerr << "fatal: " << reason << '\n';
    std::abort();
  };
  return settings;
}

inline std::string contents(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Every file and directory below, with its contents.
inline std::map<std::string, std::string> everything_in(const std::filesystem::path& directory) {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    all[entry.path().string()] = entry.is_regular_file() ? contents(entry.path()) : "";
  }
  return all;
}

/// The names of what differs between two results of everything_in().
inline std::vector<std::string> differences(const std::map<std::string, std::string>& before,
                                            const std::map<std::string, std::string>& after) {
  std::vector<std::string> names;
  const auto compare = [&](const auto& one, const auto& other) {
    for (const auto& [name, bytes] : one) {
      const auto there = other.find(name);
      if (there == other.end() || there->second != bytes) names.push_back(name);
    }
  };
  compare(before, after);
  compare(after, before);
  return names;
}

/// Copies the store as a crash at this moment would leave it. Starts again if RocksDB made, removed or cut files in the
/// background meanwhile, because the copy would show only half of that. (For libstdc++ 12, a file that gets shorter
/// while it is copied is an I/O error.)
inline void copy_store(const std::filesystem::path& from, const std::filesystem::path& to) {
  namespace fs = std::filesystem;
  const auto names_and_sizes = [&] {
    std::map<std::string, std::uintmax_t> all;
    std::error_code gone;
    for (const auto& entry : fs::recursive_directory_iterator(from)) {
      if (entry.is_regular_file(gone)) all[entry.path().string()] = entry.file_size(gone);
    }
    return all;
  };
  std::error_code error;
  for (int tries_left = 1000; tries_left > 0; --tries_left) {
    fs::remove_all(to);
    const auto before = names_and_sizes();
    fs::copy(from, to, fs::copy_options::recursive, error);
    if (error && error != std::errc::no_such_file_or_directory && error != std::errc::io_error) {
      throw fs::filesystem_error("copying a store", from, to, error);
    }
    if (!error && before == names_and_sizes()) return;
  }
  throw fs::filesystem_error("copying a store that is never at rest", from, to, error);
}

}  // namespace tracker::tests
