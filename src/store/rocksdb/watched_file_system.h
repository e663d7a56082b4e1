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

/// The files of a database as RocksDB writes them, watched from below, because RocksDB goes on after errors
/// that it must not go on after:
///
///  - A failed fsync leaves open what is on disk, and the next one may succeed without having written
///    anything. So it is fatal in the call itself, and so is any failed write but on a full disk.
///  - A file that once found no room takes nothing any more: what RocksDB could not write is certainly not there,
///    and does not come there later.
///  - RocksDB knows one shortage alone, a full disk. All that no_room.h knows are shown to it as that, for any file.
///  - A file is made in the stead of what has its name. RocksDB would write where a link leads.
///  - A hard link that a file system or a rule of the machine refuses is one that it does not support: RocksDB copies then.
///  - A log is on disk whole before the next one begins, also if nobody asked for an fsync: so only the last
///    one can end too early after a power cut.
///
/// And where each commit is synced, logs are laid out on disk: they are written into zeros that were written before,
/// in whole extents. A sync of a file that does not grow has no size of it to write, which takes a good third less. The
/// first extent is on disk before anything else is written to the log. What is left of the zeros stays, so that a log
/// that was laid out is never shorter than what was synced of it, up to the end of its extent (write_ahead_log.h).
///
/// Any thread.
class WatchedFileSystem final : public ::rocksdb::FileSystemWrapper {
 public:
  static constexpr std::uint64_t extent_bytes = 256 << 10U;

  /// Watches the files in `directory`; of others, only shortages are told. `on_fatal` does not return. `on_log_made`
  /// is called for each log with its number, once it is armed, before anything is written to it; it may throw
  /// StoreError.
  WatchedFileSystem(std::string directory, bool lays_logs_out,
                    std::function<void(const std::string& reason)> on_fatal,
                    std::function<void(std::uint64_t log)> on_log_made);

  /// From now on errors are fatal; before, they are only RocksDB's to report.
  void arm() noexcept { armed_ = true; }

  /// What was lacking for any of the watched files (an errno that no_room.h knows); 0: nothing.
  int lacking() const noexcept { return lacking_; }
  /// RocksDB has stopped with this status, which is a shortage.
  void on_stopped(const ::rocksdb::Status& status) noexcept { lacking_ = error_of(status); }
  /// The errno of a shortage, which RocksDB has from such a file system and passes on as kNoSpace.
  static int error_of(const ::rocksdb::Status& status);

  /// The number of the log that was made last; 0: none was.
  std::uint64_t last_log() const noexcept { return last_log_; }

  const char* Name() const override { return "WatchedFileSystem"; }
  ::rocksdb::IOStatus NewWritableFile(const std::string& name, const ::rocksdb::FileOptions& options,
                                      std::unique_ptr<::rocksdb::FSWritableFile>* result,
                                      ::rocksdb::IODebugContext* debug) override;
  ::rocksdb::IOStatus NewDirectory(const std::string& name, const ::rocksdb::IOOptions& options,
                                   std::unique_ptr<::rocksdb::FSDirectory>* result,
                                   ::rocksdb::IODebugContext* debug) override;
  // What follows is watched for shortages alone.
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

  /// The outcome of a call, with every shortage shown as a full disk.
  template <typename Call>
  ::rocksdb::IOStatus outcome(Call call);
  /// Looks at the outcome of a write or, if nothing may be lacking for it, of an fsync.
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
  std::set<File*> logs_;  // logs_mutex_; those that are open
};

}  // namespace tracker::store::rocksdb
