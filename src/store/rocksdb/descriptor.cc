#include "store/rocksdb/descriptor.h"

#include <sys/stat.h>

#include <filesystem>
#include <optional>

#include "store/rocksdb/no_room.h"
#include "store/rocksdb/private_files.h"

namespace tracker::store::rocksdb {

namespace fs = std::filesystem;

std::string absolute_path(const std::string& path) {
  std::error_code error;
  const auto absolute = fs::absolute(path, error).lexically_normal();
  if (error) {
    throw StoreError("cannot find the current directory: " + error.message() + "; give an absolute path");
  }
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

namespace {

std::optional<runtime::Descriptor> nearest_directory(fs::path path) {
  for (;; path = path.parent_path()) {
    auto directory = open_file(path, O_PATH | O_DIRECTORY);
    if (directory.is_open()) return directory;
    if (!path.has_relative_path()) return std::nullopt;
  }
}

bool are_same(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

void make_missing(const fs::path& directory) {
  std::error_code error;
  if (fs::is_directory(directory, error)) return;
  if (directory.has_relative_path()) make_missing(directory.parent_path());
  if (make_private_directory(directory)) return;
  const int reason = errno == EEXIST ? ENOTDIR : errno;
  if (fs::is_directory(directory, error)) return;  // another process was quicker
  if (const auto lacking = shortage(reason))
    throw NoRoom(*lacking, directory.string() + ": " + error_text(reason));
  throw StoreError("cannot make the directory: " + error_text(reason) +
                   "; check its permissions and its disk, or choose another directory");
}

}  // namespace

bool is_within(const std::string& path, const std::string& outer) {
  struct stat wanted {};
  if (::stat(outer.c_str(), &wanted) != 0) return false;
  auto directory = nearest_directory(absolute_path(path));
  struct stat here {};
  if (!directory || ::fstat(directory->number(), &here) != 0) return false;
  while (!are_same(here, wanted)) {
    runtime::Descriptor above(::openat(directory->number(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    const auto below = here;
    if (!above.is_open() || ::fstat(above.number(), &here) != 0 || are_same(here, below)) return false;
    directory.emplace(std::move(above));
  }
  return true;
}

void throw_not_written(const std::string& path, int error) {
  const auto about = path + ": " + error_text(error);
  if (const auto lacking = shortage(error)) throw NoRoom(*lacking, about);
  throw StoreError("cannot write " + about);
}

std::string make_directories(const std::string& path) {
  const fs::path directory = absolute_path(path);
  std::error_code error;
  fs::path topmost;
  for (auto missing = directory; !fs::exists(missing, error) && missing.has_relative_path();
       missing = missing.parent_path()) {
    topmost = missing;
  }
  if (topmost.empty() && fs::is_directory(directory, error)) return "";
  try {
    make_missing(directory);
    for (auto made = directory; made != topmost.parent_path(); made = made.parent_path()) {
      sync_directory(made.parent_path());
    }
  } catch (const StoreError&) {
    remove_directories(path, topmost);
    throw;
  }
  return topmost;
}

void remove_directories(const std::string& path, const std::string& topmost) noexcept try {
  if (topmost.empty()) return;
  std::error_code error;
  for (fs::path made = absolute_path(path); made != fs::path(topmost).parent_path();
       made = made.parent_path()) {
    fs::remove(made, error);
  }
} catch (const std::exception&) {  // what is left is empty
}

}  // namespace tracker::store::rocksdb
