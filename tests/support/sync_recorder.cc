// A library for preloading into a program. It records, in the file that $SYNC_RECORD names, which files the program
// makes and how much of each file is certainly on disk. The rest cannot be seen from outside: the kernel keeps it when
// the program is killed, but not when the power is cut.
//
//   created INODE DIRECTORY-INODE   a file was made, and its name is not on disk yet
//   emptied INODE                   an open file was cut to nothing
//   synced INODE BYTES CONTENT      the file had BYTES bytes when a successful fsync or fdatasync began, and CONTENT
//                                   bytes without the zeros at its end
//   naming DIRECTORY-INODE ORDER    a sync of a directory began; ORDER identifies it
//   named DIRECTORY-INODE ORDER     it succeeded
//   renaming INODE DIRECTORY-INODE  the file is about to be renamed into that directory. The rename may be on disk at
//                                   once. Then, with a journal, so is everything that was made there before
//
// $SYNC_DELAY_US makes every sync take this much longer, as on a slow disk. With $SYNC_RECORD_MAX the program is killed
// after it has written this many lines. So a test can kill it at every step, one after the other.
//
// The file is made as soon as the library is loaded, so its existence shows that the program is watched.
//
// Each line is written before the call returns. So a program that is killed then knows of less than the record says,
// never of more. O_SYNC, mmap and sync_file_range (which promises nothing) are not watched. Their data counts as lost.

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

// Returns the C library's own function of this name.
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

using Open = int(const char*, int, mode_t);
using OpenAt = int(int, const char*, int, mode_t);
using Sync = int(int);
using Rename = int(const char*, const char*);

int record_file() {
  static const int fd = [] {
    const char* name = std::getenv("SYNC_RECORD");
    static const auto open_file = next<Open>("open");
    return name == nullptr ? -1 : open_file(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  }();
  return fd;
}

[[gnu::constructor]] void make_record_file() {
  record_file();
}

// Returns a number from the environment, or 0 if it is not set.
unsigned long number(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::strtoul(text, nullptr, 10);
}

void count_line() {
  static const unsigned long lines_max = number("SYNC_RECORD_MAX");
  static std::atomic<unsigned long> lines{0};
  if (++lines == lines_max) ::kill(::getpid(), SIGKILL);
}

template <typename... Numbers>
void record(const char* format, Numbers... numbers) {
  const int error = errno;
  char line[96];
  const int size = std::snprintf(line, sizeof line, format, static_cast<unsigned long long>(numbers)...);
  if (record_file() >= 0 && ::write(record_file(), line, static_cast<std::size_t>(size)) != size)
    std::abort();
  count_line();
  errno = error;
}

bool exists(int directory, const char* path) {
  const int error = errno;
  struct stat found {};
  const bool is_there = ::fstatat(directory, path, &found, 0) == 0;
  errno = error;
  return is_there;
}

std::string parent(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

template <typename Opened>
int watched_open(int directory, const char* path, int flags, Opened opened) {
  const bool was_there = (flags & O_CREAT) == 0 || exists(directory, path);
  const int fd = opened();
  if (fd < 0) return fd;
  const int error = errno;
  struct stat file {};
  struct stat its_directory {};
  if (!was_there && ::fstat(fd, &file) == 0 &&
      ::fstatat(directory, parent(path).c_str(), &its_directory, 0) == 0) {
    record("created %llu %llu\n", file.st_ino, its_directory.st_ino);
  } else if ((flags & O_TRUNC) != 0 && ::fstat(fd, &file) == 0) {
    record("emptied %llu\n", file.st_ino);
  }
  errno = error;
  return fd;
}

// Returns the size of a file without the zeros at its end, of which there may be many.
off_t content_bytes(int fd, off_t size) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  static const auto open_file = next<Open>("open");
  const int file = open_file(path, O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return size;
  static thread_local char block[64 << 10U];
  off_t end = size;
  while (end > 0) {
    const off_t begin = end > off_t{sizeof block} ? end - off_t{sizeof block} : 0;
    ssize_t left = ::pread(file, block, static_cast<std::size_t>(end - begin), begin);
    while (left > 0 && block[left - 1] == '\0') --left;
    end = begin + (left > 0 ? left : 0);
    if (left != 0) break;
  }
  ::close(file);
  return end;
}

int watched_sync(const char* name, int fd) {
  struct stat file {};
  const bool known = ::fstat(fd, &file) == 0;
  const off_t content = known && S_ISREG(file.st_mode) ? content_bytes(fd, file.st_size) : 0;
  const bool directory = known && S_ISDIR(file.st_mode);
  // Unique among all the runs that write into one record.
  static std::atomic<unsigned long long> orders{0};
  const unsigned long long order = orders++ * 10'000'000 + static_cast<unsigned>(::getpid());
  if (directory) record("naming %llu %llu\n", file.st_ino, order);
  static const unsigned long delay_us = number("SYNC_DELAY_US");
  if (delay_us > 0) ::usleep(static_cast<useconds_t>(delay_us));
  const int result = next<Sync>(name)(fd);
  if (result != 0 || !known) return result;
  if (directory) record("named %llu %llu\n", file.st_ino, order);
  if (S_ISREG(file.st_mode)) record("synced %llu %llu %llu\n", file.st_ino, file.st_size, content);
  return result;
}

mode_t mode_of(int flags, va_list arguments) {
  const bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return has_mode ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
}

}  // namespace

#define WATCHED_OPEN(name)                                                                            \
  extern "C" int name(const char* path, int flags, ...) {                                             \
    va_list arguments;                                                                                \
    va_start(arguments, flags);                                                                       \
    const mode_t mode = mode_of(flags, arguments);                                                    \
    va_end(arguments);                                                                                \
    return watched_open(AT_FDCWD, path, flags, [&] { return next<Open>(#name)(path, flags, mode); }); \
  }
#define WATCHED_OPEN_AT(name)                                                               \
  extern "C" int name(int directory, const char* path, int flags, ...) {                    \
    va_list arguments;                                                                      \
    va_start(arguments, flags);                                                             \
    const mode_t mode = mode_of(flags, arguments);                                          \
    va_end(arguments);                                                                      \
    return watched_open(directory, path, flags,                                             \
                        [&] { return next<OpenAt>(#name)(directory, path, flags, mode); }); \
  }

WATCHED_OPEN(open)
WATCHED_OPEN(open64)
WATCHED_OPEN_AT(openat)
WATCHED_OPEN_AT(openat64)

extern "C" int fsync(int fd) {
  return watched_sync("fsync", fd);
}

extern "C" int fdatasync(int fd) {
  return watched_sync("fdatasync", fd);
}

// Recorded before the rename, because the rename may be on disk as soon as it is done.
extern "C" int rename(const char* from, const char* to) noexcept {
  struct stat directory {};
  struct stat file {};
  if (::stat(parent(to).c_str(), &directory) == 0 && ::stat(from, &file) == 0) {
    record("renaming %llu %llu\n", file.st_ino, directory.st_ino);
  }
  return next<Rename>("rename")(from, to);
}
