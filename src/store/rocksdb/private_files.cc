#include "store/rocksdb/private_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <system_error>
#include <vector>

#include "store/rocksdb/descriptor.h"
#include "store/rocksdb/rocksdb_settings.h"

namespace tracker::store::rocksdb {

namespace fs = std::filesystem;

namespace {

constexpr mode_t rights_of_others = S_IRWXG | S_IRWXO;
constexpr mode_t writing_of_others = S_IWGRP | S_IWOTH;

/// What other users may still do after the rights were taken.
struct Left {
  std::string readable;  // the first file that others may read
  std::string writable;  // the first file that others may write
};

std::string described(const std::string& path, const struct stat& status) {
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(status.st_mode & 07777U));
  return path + " (mode " + mode + ", owner " + std::to_string(status.st_uid) + ")";
}

void note(const std::string& path, const struct stat& status, Left& left) {
  const auto others = status.st_mode & rights_of_others;
  if (others != 0 && left.readable.empty()) left.readable = described(path, status);
  if ((others & writing_of_others) != 0 && left.writable.empty()) left.writable = described(path, status);
}

/// `file` is open. Its file system may have no modes, so they are checked again.
void take_rights(int file, const std::string& path, Left& left) {
  struct stat status {};
  if (::fstat(file, &status) != 0 || (status.st_mode & rights_of_others) == 0) return;
  if (status.st_uid == ::geteuid() && ::fchmod(file, status.st_mode & 07777U & ~rights_of_others) == 0) {
    ::fstat(file, &status);
  }
  note(path, status, left);
}

/// Whether it is a link that somebody else may have made, so that we change files elsewhere.
bool is_link_of_another(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode) && status.st_uid != ::geteuid();
}

void take_rights_in(const std::string& path, int more_flags, Left& left) {
  const auto directory = open_file(path, O_RDONLY | O_DIRECTORY | more_flags);
  if (!directory.is_open()) return;  // it does not exist, or opening the store will say what is wrong
  // A default ACL would give others rights in new files, whatever the umask.
  ::fremovexattr(directory.number(), "system.posix_acl_default");
  take_rights(directory.number(), path, left);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    const auto name = entry.path().filename();
    struct stat status {};
    const bool is_open_to_others =
        ::fstatat(directory.number(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(status.st_mode) && (status.st_mode & rights_of_others) != 0;
    if (!is_open_to_others) continue;
    const runtime::Descriptor file(
        ::openat(directory.number(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file.is_open()) {
      take_rights(file.number(), entry.path(), left);
    } else {
      note(entry.path(), status, left);
    }
  }
}

}  // namespace

bool make_private_directory(const std::string& path) noexcept {
  return ::mkdir(path.c_str(), S_IRWXU) == 0;
}

runtime::Descriptor make_private_file(const std::string& path) noexcept {
  ::unlink(path.c_str());
  return open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, S_IRUSR | S_IWUSR);
}

std::optional<std::string> take_rights_of_others(const std::string& path) {
  Left left;
  take_rights_in(path, 0, left);
  take_rights_in(path + "/db", is_link_of_another(path + "/db") ? O_NOFOLLOW : 0, left);
  take_rights_in(path + "/db.new", O_NOFOLLOW, left);  // of a first start that was interrupted
  if (!left.writable.empty()) {
    throw StoreError(
        "others may write there: " + left.writable +
        "; have its owner run chmod -R go= on it, or choose another directory, such as a new one below it");
  }
  if (left.readable.empty()) return std::nullopt;
  return "others may read " + left.readable +
         ", and whoever can read a store can count with the ids in it; have its owner run chmod -R go= on it";
}

}  // namespace tracker::store::rocksdb
