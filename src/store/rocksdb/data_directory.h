#pragma once

#include <string>

#include "store/rocksdb/rocksdb_settings.h"

namespace tracker::store {

/// The directory of a store, for this process alone as long as this lives:
///
///   FORMAT      tells that this is a store, and in which format
///   db/         the RocksDB database
///   RESTORING   the mark of a restore (store_copy.h): without FORMAT, of one that did not come to its end
///
/// A directory without FORMAT that holds anything is not taken for a store.
class DataDirectory {
 public:
  /// Makes it if need be, and locks it. Throws StoreError; then nothing on disk has changed.
  explicit DataDirectory(const std::string& path);
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  /// Absolute.
  const std::string& path() const noexcept { return path_; }
  std::string database_path() const { return path_ + "/db"; }
  /// Where the database is made, before it is moved to its place whole.
  std::string new_database_path() const { return path_ + "/db.new"; }

  bool has_database() const;
  /// Moves what was made at new_database_path() to its place. Throws StoreError.
  void adopt_new_database();

  /// Throws StoreError unless `path` holds a store of a format that this program knows. Reads only.
  static void check(const std::string& path);
  static constexpr const char* restoring = "RESTORING";
  /// It holds what an interrupted restore left.
  static bool is_unfinished(const std::string& path);

  /// Makes the FORMAT file of a new store. Throws StoreError.
  static void write_format(const std::string& path);

 private:
  std::string path_;
  int descriptor_ = -1;  // holds the lock
};

}  // namespace tracker::store
