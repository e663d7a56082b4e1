#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "runtime/descriptor.h"
#include "store/rocksdb/rocksdb_settings.h"

namespace tracker::store::rocksdb {

/// As the system says it.
inline std::string error_text(int error) {
  return std::generic_category().message(error);
}

/// If it cannot be opened, it is not open, and errno says why.
inline runtime::Descriptor open_file(const std::string& path, int flags, mode_t mode = 0) {
  return runtime::Descriptor(::open(path.c_str(), flags | O_CLOEXEC, mode));
}

/// What was made, moved or removed in it is on disk after this. Throws StoreError.
inline void sync_directory(const std::string& path) {
  const auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!directory.is_open() || ::fsync(directory.number()) != 0) {
    throw StoreError("cannot sync the directory " + path + ": " + error_text(errno));
  }
}

/// Absolute, in normal form, without a slash at its end. Throws StoreError.
std::string absolute_path(const std::string& path);

/// Whether `path` is in the directory `outer` or is that itself, whatever links lead there. Where `path` does not exist
/// yet, the place counts where it would be made.
bool is_within(const std::string& path, const std::string& outer);

/// Throws what making or writing `path` has met: a NoRoom, or another StoreError.
[[noreturn]] void throw_not_written(const std::string& path, int error);

/// Makes what is missing of the directories down to `path`, for this user alone, and puts that on disk. Answers the topmost one that it
/// made, in absolute form; nothing if all were there. Throws StoreError, and then nothing has changed.
std::string make_directories(const std::string& path);

/// Takes that back, as far as the directories are empty: another process may have used one meanwhile.
void remove_directories(const std::string& path, const std::string& topmost) noexcept;

}  // namespace tracker::store::rocksdb
