#pragma once

#include <optional>
#include <string>

#include "domain/readiness.h"
#include "runtime/descriptor.h"
#include "store/rocksdb/rocksdb_settings.h"

namespace tracker::store::rocksdb {

/// What the file FORMAT says. A program refuses a store of a format that it does not know.
enum class StoreFormat {
  first = 1,
  with_record = 2,         // it may have a record, and a program that knows no records must not count in it
  with_moves = 3,          // the same with moves of tokens (StoredMoves)
  with_token_records = 4,  // the same with records of tokens (domain::TokenRecord)
};

/// The directory of a store. It belongs to this process alone as long as this object lives.
///
///   FORMAT      says that this is a store, and in which format (StoreFormat)
///   db/         the RocksDB database
///   db.new/     the database of a first start that was interrupted: complete if FORMAT is there, otherwise perhaps not
///   RESTORING   the mark of a restore (store_copy.h); without FORMAT, of a restore that was interrupted
///
/// A directory that holds other files and no FORMAT is left alone. Only this user has access to it (private_files.h).
class DataDirectory {
 public:
  /// Makes the directory if necessary, locks it, and takes the rights of other users. Throws StoreError; nothing else
  /// on disk has changed then.
  explicit DataDirectory(const std::string& path);
  /// Removes what was made, unless the store was there before or keep() was called.
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  /// Absolute.
  const std::string& path() const noexcept { return path_; }
  std::string database_path() const { return path_ + "/db"; }

  /// Whether there is no store yet. Then make a database in new_database_path() and call adopt_new_database().
  bool is_new() const noexcept { return is_new_; }
  std::string new_database_path() const { return path_ + "/db.new"; }
  /// Makes the directory a store with that database. A start that is interrupted leaves a store or none, never half of
  /// one. Throws StoreError.
  void adopt_new_database();
  /// Keeps what was made. Throws StoreError.
  void keep();

  /// Says in FORMAT that the store may have what that format adds, and puts that on disk. Call it before such a thing is
  /// written, and after keep(). One thread only. Throws StoreError.
  void admit(StoreFormat format);

  /// Ready if path() still leads to this directory, and to its database. After keep(). Any thread.
  domain::Readiness readiness() const;

  /// Throws StoreError unless `path` holds a store of a format that this program knows. Reads only.
  static void check(const std::string& path);
  /// The format of the store there. Throws StoreError if this program does not know it.
  static StoreFormat format_of(const std::string& path);
  /// Whether the directory is empty. Ignores what a fresh file system has in it, and what a first start that was
  /// interrupted leaves. Throws StoreError.
  static bool is_empty(const std::string& path);
  static constexpr const char* restoring = "RESTORING";
  /// Whether it holds what an interrupted restore left.
  static bool is_unfinished(const std::string& path);

  /// Makes the FORMAT file of a store, or replaces it. Throws StoreError.
  static void write_format(const std::string& path, StoreFormat format);

 private:
  void open(const std::string& path);
  void lock();
  void keep_private() const;
  void move_new_database();
  void undo() noexcept;

  std::string path_;
  std::string made_;  // the topmost directory that was made; empty if none was
  bool is_new_ = false;
  StoreFormat format_ = StoreFormat::first;
  std::optional<runtime::Descriptor> lock_;
  std::optional<runtime::Descriptor> database_;  // its directory, to recognise it
};

}  // namespace tracker::store::rocksdb
