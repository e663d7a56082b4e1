#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace tracker::store::rocksdb {

/// The file system that RocksDB uses for a database. It watches RocksDB's files, because RocksDB goes on after some
/// errors after which it must not:
///
///  - After a failed fsync nobody knows what is on disk, and the next fsync may succeed without having written
///    anything. So a failed fsync is fatal within the call, and so is any failed write, except for lack of room.
///  - A file that once lacked room accepts no more writes. What RocksDB could not write is certainly not there, now or
///    later.
///  - RocksDB knows only one shortage, a full disk. Every shortage that no_room.h knows looks like that to RocksDB, for
///    any file.
///  - A new file replaces whatever has its name. RocksDB would write through a link.
///  - A hard link that the file system or a rule of the machine refuses looks unsupported to RocksDB, which then
///    copies.
///  - A log is synced before the next one begins, even if nobody asked for it. So after a power cut only the last log
///    can end too early.
///
/// If each commit is synced, logs are also laid out on disk: zeros are written ahead of the records, in whole extents,
/// and synced. A sync of a record then need not write a new file size, which makes it cheaper by a good third. The
/// first extent is on disk before anything else is written to the log. Remaining zeros stay. So a log that was laid out
/// ends with a whole extent, and holds everything of it that was synced (write_ahead_log.h).
///
/// Any thread.
class WatchedFileSystem final : public ::rocksdb::FileSystemWrapper {
 public:
  static constexpr std::uint64_t extent_bytes = 256 << 10U;

  /// Watches the files in `directory`. Of other files it reports only shortages. `on_fatal` must not return. After
  /// arm(), `on_log_made` is called with the number of each new log before anything is written to it. It may throw
  /// StoreError.
  WatchedFileSystem(std::string directory, bool lays_logs_out,
                    std::function<void(const std::string& reason)> on_fatal,
                    std::function<void(std::uint64_t log)> on_log_made);

  /// From now on errors are fatal. Before, only RocksDB reports them.
  void arm() noexcept { armed_ = true; }

  /// The shortage that a watched file has met: an errno that no_room.h knows, or 0.
  int lacking() const noexcept { return lacking_; }
  /// Tells that RocksDB has stopped with this status, which is a shortage.
  void on_stopped(const ::rocksdb::Status& status) noexcept { lacking_ = error_of(status); }
  /// The errno in a status that stands for a shortage.
  static int error_of(const ::rocksdb::Status& status);

  /// The number of the newest log; 0 if there is none.
  std::uint64_t last_log() const noexcept { return last_log_; }

  const char* Name() const override { return "WatchedFileSystem"; }
  ::rocksdb::IOStatus NewWritableFile(const std::string& name, const ::rocksdb::FileOptions& options,
                                      std::unique_ptr<::rocksdb::FSWritableFile>* result,
                                      ::rocksdb::IODebugContext* debug) override;
  ::rocksdb::IOStatus NewDirectory(const std::string& name, const ::rocksdb::IOOptions& options,
                                   std::unique_ptr<::rocksdb::FSDirectory>* result,
                                   ::rocksdb::IODebugContext* debug) override;
  // The following are watched only for shortages.
  ::rocksdb::IOStatus NewSequentialFile(const std::string& name, const ::rocksdb::FileOptions& options,
                                        std::unique_ptr<::rocksdb::FSSequentialFile>* result,
                                        ::rocksdb::IODebugContext* debug) override;
  ::rocksdb::IOStatus NewRandomAccessFile(const std::string& name, const ::rocksdb::FileOptions& options,
                                          std::unique_ptr<::rocksdb::FSRandomAccessFile>* result,
                                          ::rocksdb::IODebugContext* debug) override;
  ::rocksdb::IOStatus GetChildren(const std::string& name, const ::rocksdb::IOOptions& options,
                                  std::vector<std::string>* result,
                                  ::rocksdb::IODebugContext* debug) override;
  ::rocksdb::IOStatus CreateDir(const std::string& name, const ::rocksdb::IOOptions& options,
                                ::rocksdb::IODebugContext* debug) override;
  ::rocksdb::IOStatus CreateDirIfMissing(const std::string& name, const ::rocksdb::IOOptions& options,
                                         ::rocksdb::IODebugContext* debug) override;
  ::rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                                 const ::rocksdb::IOOptions& options,
                                 ::rocksdb::IODebugContext* debug) override;
  ::rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                               const ::rocksdb::IOOptions& options,
                               ::rocksdb::IODebugContext* debug) override;
  ::rocksdb::IOStatus LockFile(const std::string& name, const ::rocksdb::IOOptions& options,
                               ::rocksdb::FileLock** lock, ::rocksdb::IODebugContext* debug) override;

 private:
  class File;
  class Directory;

  /// The outcome of a call, in which every shortage looks like a full disk.
  template <typename Call>
  ::rocksdb::IOStatus outcome(Call call);
  /// Checks the outcome of a write, or of an fsync, which no shortage excuses.
  ::rocksdb::IOStatus watch(::rocksdb::IOStatus status, bool is_sync);
  ::rocksdb::IOStatus tell_of_log(const std::string& name);
  bool is_watched(const std::string& name) const {
    return name == directory_ || name.starts_with(directory_ + "/");
  }

  const std::string directory_;
  const bool lays_logs_out_;
  const std::function<void(const std::string&)> on_fatal_;
  const std::function<void(std::uint64_t)> on_log_made_;
  std::atomic<bool> armed_ = false;
  std::atomic<int> lacking_ = 0;
  std::atomic<std::uint64_t> last_log_ = 0;
  std::mutex logs_mutex_;
  std::set<File*> logs_;  // logs_mutex_; the open ones
};

}  // namespace tracker::store::rocksdb
