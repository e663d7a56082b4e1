#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "runtime/descriptor.h"
#include "store/rocksdb/rocksdb_settings.h"

namespace tracker::store::rocksdb {

/// The system's text for an errno.
inline std::string error_text(int error) {
  return std::generic_category().message(error);
}

/// Opens a file. If it fails, the result is not open, and errno says why.
inline runtime::Descriptor open_file(const std::string& path, int flags, mode_t mode = 0) {
  return runtime::Descriptor(::open(path.c_str(), flags | O_CLOEXEC, mode));
}

/// Syncs a directory: what was made, moved or removed in it. Throws StoreError.
inline void sync_directory(const std::string& path) {
  const auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!directory.is_open() || ::fsync(directory.number()) != 0) {
    throw StoreError("cannot sync the directory " + path + ": " + error_text(errno));
  }
}

/// The path in absolute and normal form, without a slash at its end. Throws StoreError.
std::string absolute_path(const std::string& path);

/// Whether `path` is `outer` or lies inside it, through whatever links. If `path` does not exist, the place counts
/// where it would be made.
bool is_within(const std::string& path, const std::string& outer);

/// Throws the error of making or writing `path`: NoRoom or another StoreError.
[[noreturn]] void throw_not_written(const std::string& path, int error);

/// Makes what is missing of the directories down to `path`, for this user alone, and puts that on disk. Returns the
/// topmost one that it made, in absolute form; nothing if all were there. Throws StoreError, and then nothing has
/// changed.
std::string make_directories(const std::string& path);

/// Removes them again, if they are empty: another process may use one of them.
void remove_directories(const std::string& path, const std::string& topmost) noexcept;

}  // namespace tracker::store::rocksdb
