#include "store/rocksdb/watched_file_system.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "store/rocksdb/descriptor.h"
#include "store/rocksdb/no_room.h"

namespace tracker::store::rocksdb {

using ::rocksdb::IODebugContext;
using ::rocksdb::IOOptions;
using ::rocksdb::IOStatus;

namespace {
/// RocksDB would allocate the room for a whole log or table at once. A small disk may not have it.
constexpr std::size_t preallocation_bytes_max = std::size_t{4} << 20U;

/// The number in the name of one of RocksDB's files.
std::uint64_t number_in(const std::string& path) {
  const auto name = path.substr(path.rfind('/') + 1);
  std::uint64_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

IOStatus failed(int error) {
  const auto text = error_text(error);
  return shortage(error) ? IOStatus::NoSpace(text) : IOStatus::IOError(text);
}

/// Writes zeros ahead of what is appended to a file, one extent after the other.
class Zeros {
 public:
  explicit Zeros(const std::string& path) : file_(open_file(path, O_WRONLY)), error_(errno) {}

  /// Writes and syncs the first extent.
  IOStatus lay_out() {
    if (!file_.is_open()) return failed(error_);
    auto status = make_room(1);
    appended_ = 0;
    if (status.ok() && ::fdatasync(file_.number()) != 0) return failed(errno);
    return status;
  }

  /// Call it before this many bytes are appended.
  IOStatus make_room(std::size_t bytes) {
    appended_ += bytes;
    while (end_ < appended_) {
      static const std::vector<char> zeros(64 << 10U);
      for (const auto extent_end = end_ + WatchedFileSystem::extent_bytes; written_ < extent_end;) {
        const auto size = std::min<std::uint64_t>(zeros.size(), extent_end - written_);
        const auto written = ::pwrite(file_.number(), zeros.data(), size, static_cast<off_t>(written_));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failed(errno);
        written_ += static_cast<std::uint64_t>(written);
      }
      end_ = written_;
    }
    return IOStatus::OK();
  }

 private:
  const runtime::Descriptor file_;
  const int error_;  // the errno, if it could not be opened
  std::uint64_t appended_ = 0;
  std::uint64_t end_ = 0;      // of the last whole extent
  std::uint64_t written_ = 0;  // the zeros so far
};
}  // namespace

class WatchedFileSystem::File final : public ::rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(WatchedFileSystem& system, const std::string& path, std::unique_ptr<::rocksdb::FSWritableFile> file,
       bool is_watched, bool is_log)
      : FSWritableFileOwnerWrapper(std::move(file)),
        system_(system),
        is_watched_(is_watched),
        is_log_(is_log) {
    if (!is_log_) return;
    if (system_.lays_logs_out_) zeros_.emplace(path);
    const std::lock_guard lock(system_.logs_mutex_);
    system_.logs_.insert(this);
  }
  ~File() override {
    if (!is_log_) return;
    const std::lock_guard lock(system_.logs_mutex_);
    system_.logs_.erase(this);
  }

  IOStatus Append(const ::rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return append(data.size(), [&] { return target()->Append(data, options, debug); });
  }
  IOStatus Append(const ::rocksdb::Slice& data, const IOOptions& options,
                  const ::rocksdb::DataVerificationInfo& verification, IODebugContext* debug) override {
    return append(data.size(), [&] { return target()->Append(data, options, verification, debug); });
  }
  IOStatus PositionedAppend(const ::rocksdb::Slice& data, std::uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    return write([&] { return target()->PositionedAppend(data, offset, options, debug); });
  }
  IOStatus PositionedAppend(const ::rocksdb::Slice& data, std::uint64_t offset, const IOOptions& options,
                            const ::rocksdb::DataVerificationInfo& verification,
                            IODebugContext* debug) override {
    return write([&] { return target()->PositionedAppend(data, offset, options, verification, debug); });
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    return write([&] { return target()->Truncate(size, options, debug); });
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    return judge([&] { return target()->Close(options, debug); }, true);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return sync([&] { return target()->Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return sync([&] { return target()->Fsync(options, debug); });
  }
  IOStatus RangeSync(std::uint64_t offset, std::uint64_t bytes, const IOOptions& options,
                     IODebugContext* debug) override {
    return judge([&] { return target()->RangeSync(offset, bytes, options, debug); }, true);
  }
  void PrepareWrite(std::size_t offset, std::size_t bytes, const IOOptions& options,
                    IODebugContext* debug) override {
    if (!zeros_) target()->PrepareWrite(offset, bytes, options, debug);
  }
  void SetPreallocationBlockSize(std::size_t size) override {
    target()->SetPreallocationBlockSize(std::min(size, preallocation_bytes_max));
  }

  /// Makes it a log that is laid out. Call it before anything is written.
  IOStatus lay_out() {
    return zeros_ ? judge([&] { return zeros_->lay_out(); }, false) : IOStatus::OK();
  }

  /// Syncs it, even if another thread is doing so just now.
  IOStatus sync_if_needed() {
    const std::lock_guard lock(syncing_);
    return unsynced_ ? sync_alone([&] { return target()->Sync({}, nullptr); }) : IOStatus::OK();
  }

 private:
  template <typename Append>
  IOStatus append(std::size_t bytes, Append append_data) {
    return write([&] {
      if (zeros_) {
        if (auto status = zeros_->make_room(bytes); !status.ok()) return status;
      }
      return append_data();
    });
  }
  template <typename Write>
  IOStatus write(Write write_data) {
    if (found_no_room_) return IOStatus::NoSpace("there was no room for this file");
    auto status = judge(write_data, false);
    // NOLINTBEGIN(clang-analyzer-cplusplus.NewDeleteLeaks): the status owns it
    unsynced_ = true;
    found_no_room_ = found_no_room_ || status.IsNoSpace();
    return status;
    // NOLINTEND(clang-analyzer-cplusplus.NewDeleteLeaks)
  }
  template <typename Sync>
  IOStatus sync(Sync sync_file) {
    const std::lock_guard lock(syncing_);
    return sync_alone(sync_file);
  }
  /// With syncing_ held.
  template <typename Sync>
  IOStatus sync_alone(Sync sync_file) {
    unsynced_ = false;
    return judge(sync_file, true);
  }
  template <typename Call>
  IOStatus judge(Call call, bool is_sync) {
    auto status = system_.outcome(call);
    return is_watched_ ? system_.watch(std::move(status), is_sync) : status;
  }

  WatchedFileSystem& system_;
  const bool is_watched_;
  const bool is_log_;
  std::optional<Zeros> zeros_;
  std::mutex syncing_;
  std::atomic<bool> unsynced_ = false;
  std::atomic<bool> found_no_room_ = false;
};

class WatchedFileSystem::Directory final : public ::rocksdb::FSDirectoryWrapper {
 public:
  Directory(WatchedFileSystem& system, std::unique_ptr<::rocksdb::FSDirectory> directory)
      : FSDirectoryWrapper(std::move(directory)), system_(system) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return system_.watch(system_.outcome([&] { return FSDirectoryWrapper::Fsync(options, debug); }), true);
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const ::rocksdb::DirFsyncOptions& directory_options) override {
    return system_.watch(system_.outcome([&] {
      return FSDirectoryWrapper::FsyncWithDirOptions(options, debug, directory_options);
    }),
                         true);
  }

 private:
  WatchedFileSystem& system_;
};

WatchedFileSystem::WatchedFileSystem(std::string directory, bool lays_logs_out,
                                     std::function<void(const std::string& reason)> on_fatal,
                                     std::function<void(std::uint64_t log)> on_log_made)
    : FileSystemWrapper(::rocksdb::FileSystem::Default()),
      directory_(std::move(directory)),
      lays_logs_out_(lays_logs_out),
      on_fatal_(std::move(on_fatal)),
      on_log_made_(std::move(on_log_made)) {}

IOStatus WatchedFileSystem::NewWritableFile(const std::string& name, const ::rocksdb::FileOptions& options,
                                            std::unique_ptr<::rocksdb::FSWritableFile>* result,
                                            IODebugContext* debug) {
  if (is_watched(name)) ::unlink(name.c_str());
  const bool is_log = is_watched(name) && name.ends_with(".log");
  if (is_log) {
    const std::lock_guard lock(logs_mutex_);
    for (auto* log : logs_) {
      if (auto status = log->sync_if_needed(); !status.ok()) return status;
    }
  }
  auto status = outcome([&] { return target()->NewWritableFile(name, options, result, debug); });
  if (is_watched(name)) status = watch(std::move(status), false);
  if (!status.ok()) return status;
  auto file = std::make_unique<File>(*this, name, std::move(*result), is_watched(name), is_log);
  if (is_log) {
    status = file->lay_out();
    if (status.ok()) status = tell_of_log(name);
    if (!status.ok()) return status;
  }
  *result = std::move(file);
  return status;
}

IOStatus WatchedFileSystem::tell_of_log(const std::string& name) {
  last_log_ = number_in(name);
  if (!armed_) return IOStatus::OK();
  try {
    on_log_made_(last_log_);
    return IOStatus::OK();
  } catch (const NoRoom& lacking) {
    return watch(IOStatus::NoSpace(error_text(lacking.error()), lacking.what()), false);
  } catch (const StoreError& error) {
    return watch(IOStatus::IOError(error.what()), false);
  }
}

IOStatus WatchedFileSystem::NewDirectory(const std::string& name, const IOOptions& options,
                                         std::unique_ptr<::rocksdb::FSDirectory>* result,
                                         IODebugContext* debug) {
  auto status = outcome([&] { return target()->NewDirectory(name, options, result, debug); });
  if (status.ok() && is_watched(name)) *result = std::make_unique<Directory>(*this, std::move(*result));
  return status;
}

IOStatus WatchedFileSystem::NewSequentialFile(const std::string& name, const ::rocksdb::FileOptions& options,
                                              std::unique_ptr<::rocksdb::FSSequentialFile>* result,
                                              IODebugContext* debug) {
  return outcome([&] { return target()->NewSequentialFile(name, options, result, debug); });
}

IOStatus WatchedFileSystem::NewRandomAccessFile(const std::string& name,
                                                const ::rocksdb::FileOptions& options,
                                                std::unique_ptr<::rocksdb::FSRandomAccessFile>* result,
                                                IODebugContext* debug) {
  return outcome([&] { return target()->NewRandomAccessFile(name, options, result, debug); });
}

IOStatus WatchedFileSystem::GetChildren(const std::string& name, const IOOptions& options,
                                        std::vector<std::string>* result, IODebugContext* debug) {
  return outcome([&] { return target()->GetChildren(name, options, result, debug); });
}

IOStatus WatchedFileSystem::CreateDir(const std::string& name, const IOOptions& options,
                                      IODebugContext* debug) {
  return outcome([&] { return target()->CreateDir(name, options, debug); });
}

IOStatus WatchedFileSystem::CreateDirIfMissing(const std::string& name, const IOOptions& options,
                                               IODebugContext* debug) {
  return outcome([&] { return target()->CreateDirIfMissing(name, options, debug); });
}

IOStatus WatchedFileSystem::RenameFile(const std::string& from, const std::string& to,
                                       const IOOptions& options, IODebugContext* debug) {
  return outcome([&] { return target()->RenameFile(from, to, options, debug); });
}

IOStatus WatchedFileSystem::LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                                     IODebugContext* debug) {
  const auto status = target()->LinkFile(from, to, options, debug);
  return status.ok() ? status : IOStatus::NotSupported(status.ToString());
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): the status owns it
}

IOStatus WatchedFileSystem::LockFile(const std::string& name, const IOOptions& options,
                                     ::rocksdb::FileLock** lock, IODebugContext* debug) {
  return outcome([&] { return target()->LockFile(name, options, lock, debug); });
}

/// After a failed system call, RocksDB's code leaves errno as it is.
template <typename Call>
IOStatus WatchedFileSystem::outcome(Call call) {
  errno = 0;
  auto status = call();
  if (!status.IsIOError()) return status;
  const int error = errno;
  if (!shortage(error)) return status;
  return IOStatus::NoSpace(status.getState() == nullptr ? error_text(error) : status.getState());
}

/// The errno is only in the text. The text of EMFILE is contained in that of ENFILE.
int WatchedFileSystem::error_of(const ::rocksdb::Status& status) {
  const auto text = std::string_view(status.getState() == nullptr ? "" : status.getState());
  for (const int error : {EDQUOT, EFBIG, ENFILE, EMFILE}) {
    if (text.find(error_text(error)) != text.npos) return error;
  }
  return ENOSPC;
}

IOStatus WatchedFileSystem::watch(IOStatus status, bool is_sync) {
  if (status.ok() || status.IsNotSupported()) return status;
  if (status.IsNoSpace() && !is_sync) {
    on_stopped(status);
  } else if (armed_) {
    on_fatal_(status.ToString());
  }
  return status;
}

}  // namespace tracker::store::rocksdb
