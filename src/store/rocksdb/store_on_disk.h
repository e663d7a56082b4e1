#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "store/rocksdb/rocksdb_settings.h"

namespace tracker::store {

/// For tests, as all here: settings with which little is enough for tables, compactions and evictions.
inline RocksDbSettings small_settings(const std::filesystem::path& directory,
                                      std::size_t cache_bytes = std::size_t{1} << 20U) {
  RocksDbSettings settings;
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

/// Every file and directory below with what is in it.
inline std::map<std::string, std::string> everything_in(const std::filesystem::path& directory) {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    all[entry.path().string()] = entry.is_regular_file() ? contents(entry.path()) : "";
  }
  return all;
}

/// The names of what is different between two answers of everything_in().
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

/// As a crash at this moment would leave it.
inline void copy_store(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::remove_all(to);
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

}  // namespace tracker::store
