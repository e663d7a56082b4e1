#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace tracker::store {

/// The files of a database as RocksDB writes them, watched from below, because RocksDB goes on after errors
/// that it must not go on after:
///
///  - A failed fsync leaves open what is on disk, and the next one may succeed without having written
///    anything. So it is fatal in the call itself, and so is any failed write but on a full disk.
///  - A file whose disk was full takes nothing any more: what RocksDB could not write is certainly not there,
///    and does not come there later.
///  - A log is on disk whole before the next one begins, also if nobody asked for an fsync: so only the last
///    one can end too early after a power cut.
///
/// And where each commit is synced, logs are written into zeros that were written before: a sync of a file that
/// does not grow has no size of it to write, which takes a good third less. What is left of the zeros goes when the
/// log is closed; a crash leaves them (write_ahead_log.h).
///
/// Any thread.
class WatchedFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  /// Watches the files in `directory`; others are left alone. `on_fatal` does not return.
  WatchedFileSystem(std::string directory, bool logs_into_zeros,
                    std::function<void(const std::string& reason)> on_fatal);

  /// From now on errors are fatal; before, they are only RocksDB's to report.
  void arm() noexcept { armed_ = true; }

  /// Whether the disk was full for any of the files.
  bool disk_full() const noexcept { return disk_full_; }

  const char* Name() const override { return "WatchedFileSystem"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* debug) override;

 private:
  class File;
  class Directory;

  /// Looks at the outcome of a write or, if the disk may not be full for it, of an fsync.
  rocksdb::IOStatus watch(rocksdb::IOStatus status, bool is_sync);
  bool is_watched(const std::string& name) const {
    return name == directory_ || name.starts_with(directory_ + "/");
  }

  const std::string directory_;
  const bool logs_into_zeros_;
  const std::function<void(const std::string&)> on_fatal_;
  std::atomic<bool> armed_ = false;
  std::atomic<bool> disk_full_ = false;
  std::mutex logs_mutex_;
  std::set<File*> logs_;  // logs_mutex_; those that are open
};

}  // namespace tracker::store
