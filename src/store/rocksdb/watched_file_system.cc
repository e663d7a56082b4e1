#include "store/rocksdb/watched_file_system.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "store/rocksdb/descriptor.h"

namespace tracker::store {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

namespace {
/// RocksDB would take the room for a whole log or table at once, which a small disk may not have.
constexpr std::size_t preallocation_bytes_max = std::size_t{4} << 20U;
/// So many zeros are written at once.
constexpr std::uint64_t zeros_bytes = 256 << 10U;

/// Writes zeros ahead of what is appended to a file.
class Zeros {
 public:
  explicit Zeros(const std::string& path) : file_(open_file(path, O_WRONLY)) {}

  /// Before so many bytes are appended.
  IOStatus make_room(std::size_t bytes) {
    appended_ += bytes;
    while (end_ < appended_) {
      static const std::vector<char> zeros(64 << 10U);
      for (const auto end = end_ + zeros_bytes; end_ < end;) {
        const auto written = ::pwrite(file_.number(), zeros.data(), zeros.size(), static_cast<off_t>(end_));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failed();
        end_ += static_cast<std::uint64_t>(written);
      }
    }
    return IOStatus::OK();
  }

 private:
  static IOStatus failed() {
    const auto text = error_text(errno);
    return errno == ENOSPC || errno == EDQUOT ? IOStatus::NoSpace(text) : IOStatus::IOError(text);
  }

  const runtime::Descriptor file_;
  std::uint64_t appended_ = 0;
  std::uint64_t end_ = 0;
};
}  // namespace

class WatchedFileSystem::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(WatchedFileSystem& system, const std::string& path, std::unique_ptr<rocksdb::FSWritableFile> file,
       bool is_log)
      : FSWritableFileOwnerWrapper(std::move(file)), system_(system), is_log_(is_log) {
    if (!is_log_) return;
    if (system_.logs_into_zeros_) zeros_.emplace(path);
    const std::lock_guard lock(system_.logs_mutex_);
    system_.logs_.insert(this);
  }
  ~File() override {
    if (!is_log_) return;
    const std::lock_guard lock(system_.logs_mutex_);
    system_.logs_.erase(this);
  }

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return append(data.size(), [&] { return target()->Append(data, options, debug); });
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification, IODebugContext* debug) override {
    return append(data.size(), [&] { return target()->Append(data, options, verification, debug); });
  }
  IOStatus PositionedAppend(const rocksdb::Slice& data, std::uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    return write([&] { return target()->PositionedAppend(data, offset, options, debug); });
  }
  IOStatus PositionedAppend(const rocksdb::Slice& data, std::uint64_t offset, const IOOptions& options,
                            const rocksdb::DataVerificationInfo& verification,
                            IODebugContext* debug) override {
    return write([&] { return target()->PositionedAppend(data, offset, options, verification, debug); });
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    return write([&] { return target()->Truncate(size, options, debug); });
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    if (zeros_) {
      const auto status = target()->Truncate(target()->GetFileSize(options, debug), options, debug);
      if (!status.ok()) return system_.watch(status, false);
    }
    return system_.watch(target()->Close(options, debug), true);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return sync([&] { return target()->Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return sync([&] { return target()->Fsync(options, debug); });
  }
  IOStatus RangeSync(std::uint64_t offset, std::uint64_t bytes, const IOOptions& options,
                     IODebugContext* debug) override {
    return system_.watch(target()->RangeSync(offset, bytes, options, debug), true);
  }
  void PrepareWrite(std::size_t offset, std::size_t bytes, const IOOptions& options,
                    IODebugContext* debug) override {
    if (!zeros_) target()->PrepareWrite(offset, bytes, options, debug);
  }
  void SetPreallocationBlockSize(std::size_t size) override {
    target()->SetPreallocationBlockSize(std::min(size, preallocation_bytes_max));
  }

  /// On disk after this, also if another thread is just about that.
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
    if (was_full_) return IOStatus::NoSpace("the disk was full for this file");
    auto status = system_.watch(write_data(), false);
    unsynced_ = true;
    was_full_ = was_full_ || status.IsNoSpace();
    return status;
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
    return system_.watch(sync_file(), true);
  }

  WatchedFileSystem& system_;
  const bool is_log_;
  std::optional<Zeros> zeros_;
  std::mutex syncing_;
  std::atomic<bool> unsynced_ = false;
  std::atomic<bool> was_full_ = false;
};

class WatchedFileSystem::Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(WatchedFileSystem& system, std::unique_ptr<rocksdb::FSDirectory> directory)
      : FSDirectoryWrapper(std::move(directory)), system_(system) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return system_.watch(FSDirectoryWrapper::Fsync(options, debug), true);
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& directory_options) override {
    return system_.watch(FSDirectoryWrapper::FsyncWithDirOptions(options, debug, directory_options), true);
  }

 private:
  WatchedFileSystem& system_;
};

WatchedFileSystem::WatchedFileSystem(std::string directory, bool logs_into_zeros,
                                     std::function<void(const std::string& reason)> on_fatal)
    : FileSystemWrapper(rocksdb::FileSystem::Default()),
      directory_(std::move(directory)),
      logs_into_zeros_(logs_into_zeros),
      on_fatal_(std::move(on_fatal)) {}

IOStatus WatchedFileSystem::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                            std::unique_ptr<rocksdb::FSWritableFile>* result,
                                            IODebugContext* debug) {
  if (!is_watched(name)) return target()->NewWritableFile(name, options, result, debug);
  const bool is_log = name.ends_with(".log");
  if (is_log) {
    const std::lock_guard lock(logs_mutex_);
    for (auto* log : logs_) {
      if (auto status = log->sync_if_needed(); !status.ok()) return status;
    }
  }
  auto status = watch(target()->NewWritableFile(name, options, result, debug), false);
  if (status.ok()) *result = std::make_unique<File>(*this, name, std::move(*result), is_log);
  return status;
}

IOStatus WatchedFileSystem::NewDirectory(const std::string& name, const IOOptions& options,
                                         std::unique_ptr<rocksdb::FSDirectory>* result,
                                         IODebugContext* debug) {
  auto status = target()->NewDirectory(name, options, result, debug);
  if (status.ok() && is_watched(name)) *result = std::make_unique<Directory>(*this, std::move(*result));
  return status;
}

IOStatus WatchedFileSystem::watch(IOStatus status, bool is_sync) {
  if (status.ok() || status.IsNotSupported()) return status;
  if (status.IsNoSpace() && !is_sync) {
    disk_full_ = true;
  } else if (armed_) {
    on_fatal_(status.ToString());
  }
  return status;
}

}  // namespace tracker::store
