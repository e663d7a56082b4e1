#pragma once

#include <optional>
#include <string>

#include "domain/readiness.h"
#include "runtime/descriptor.h"
#include "store/rocksdb/rocksdb_settings.h"

namespace tracker::store::rocksdb {

/// The directory of a store, for this process alone as long as this lives:
///
///   FORMAT      tells that this is a store, and in which format
///   db/         the RocksDB database
///   db.new/     the same, whole, of a start that was cut off after FORMAT was there; or a part of it, if it is not
///   RESTORING   the mark of a restore (store_copy.h): without FORMAT, of one that did not come to its end
///
/// A directory that holds something and no FORMAT is left alone. All of it is for this user alone (private_files.h).
class DataDirectory {
 public:
  /// Makes it if need be, locks it, and takes the rights of others there. Throws StoreError; then nothing else on
  /// disk has changed.
  explicit DataDirectory(const std::string& path);
  /// Takes back all that was made, but for a store that was there before, or is to be kept.
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  /// Absolute.
  const std::string& path() const noexcept { return path_; }
  std::string database_path() const { return path_ + "/db"; }

  /// Whether it is no store yet: then it is to have a database, in new_database_path(), and to adopt that.
  bool is_new() const noexcept { return is_new_; }
  std::string new_database_path() const { return path_ + "/db.new"; }
  /// Makes it a store, with that database. A start that is cut off leaves a store or none, nothing between. Throws
  /// StoreError.
  void adopt_new_database();
  /// All has gone well: what was made stays. Throws StoreError.
  void keep();

  /// Ready if path() still leads to this directory, and to its database. After keep(). Any thread.
  domain::Readiness readiness() const;

  /// Throws StoreError unless `path` holds a store of a format that this program knows. Reads only.
  static void check(const std::string& path);
  /// But for what a fresh file system has in it, and a first start that was cut off leaves. Throws StoreError.
  static bool is_empty(const std::string& path);
  static constexpr const char* restoring = "RESTORING";
  /// It holds what an interrupted restore left.
  static bool is_unfinished(const std::string& path);

  /// Makes the FORMAT file of a new store. Throws StoreError.
  static void write_format(const std::string& path);

 private:
  void open(const std::string& path);
  void lock();
  void keep_private() const;
  void move_new_database();
  void undo() noexcept;

  std::string path_;
  std::string made_;  // the topmost directory that was not there; empty: all were
  bool is_new_ = false;
  std::optional<runtime::Descriptor> lock_;
  std::optional<runtime::Descriptor> database_;  // of its directory, to know it again
};

}  // namespace tracker::store::rocksdb
