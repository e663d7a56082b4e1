// A library for preloading into a program. Its disk fails when a test wants it to. The file that $FAILING_DISK names
// says in one line how, as long as the file exists:
//
//   write ERROR PART   writing to a file whose path contains PART fails after half of the bytes, in whole sectors
//   sync ERROR PART    fsync and fdatasync of it fail
//   open ERROR PART    opening it fails
//
// ERROR is full (ENOSPC), quota (EDQUOT), large (EFBIG), few (EMFILE), few-in-all (ENFILE) or broken (EIO).

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

// Returns the C library's own function of this name.
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

using Write = ssize_t(int, const void*, size_t);
using WriteAt = ssize_t(int, const void*, size_t, off_t);
using Sync = int(int);
using Open = int(const char*, int, ...);
using Allocate = int(int, int, off_t, off_t);

// Calls the C library's function, because this library opens files itself.
int open_file(const char* path, int flags, mode_t mode = 0) {
  static const auto open_it = next<Open>("open");
  return open_it(path, flags, mode);
}

int number_of(std::string_view error) {
  if (error == "full") return ENOSPC;
  if (error == "quota") return EDQUOT;
  if (error == "large") return EFBIG;
  if (error == "few") return EMFILE;
  if (error == "few-in-all") return ENFILE;
  return EIO;
}

// Returns the error for this call on the file with this name. 0: none.
template <typename NameOf>
int wanted_error_of(const char* call, NameOf name_of) {
  const int before = errno;
  const char* control = std::getenv("FAILING_DISK");
  std::array<char, 256> line{};
  const int control_file = control == nullptr ? -1 : open_file(control, O_RDONLY | O_CLOEXEC);
  if (control_file >= 0) {
    if (::read(control_file, line.data(), line.size() - 1) <= 0) line[0] = '\0';
    ::close(control_file);
  }
  errno = before;
  std::array<char, 32> wanted_call{};
  std::array<char, 32> error{};
  std::array<char, 128> part{};
  if (std::sscanf(line.data(), "%31s %31s %127s", wanted_call.data(), error.data(), part.data()) != 3 ||
      std::strcmp(wanted_call.data(), call) != 0) {
    return 0;
  }
  std::array<char, 4096> path{};
  const std::string_view name = name_of(path);
  errno = before;
  return name.find(part.data()) == std::string_view::npos ? 0 : number_of(error.data());
}

int wanted_error(const char* call, int file) {
  return wanted_error_of(call, [file](auto& path) {
    std::array<char, 64> link{};
    std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", file);
    const ssize_t size = ::readlink(link.data(), path.data(), path.size());
    return std::string_view(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  });
}

// Returns half of what is to be written from this place on, or less, so that it ends with a sector.
size_t half(off_t at, size_t size) {
  const auto begin = static_cast<size_t>(at < 0 ? 0 : at);
  const size_t end = (begin + size / 2) / 512 * 512;
  return end > begin ? end - begin : 0;
}

int fail(int error) {
  errno = error;
  return -1;
}

}  // namespace

extern "C" {

ssize_t write(int file, const void* bytes, size_t size) {
  static const auto write_file = next<Write>("write");
  const int error = wanted_error("write", file);
  if (error == 0) return write_file(file, bytes, size);
  const size_t written = half(::lseek(file, 0, SEEK_CUR), size);
  return written > 0 ? write_file(file, bytes, written) : fail(error);
}

ssize_t pwrite(int file, const void* bytes, size_t size, off_t at) {
  static const auto write_file = next<WriteAt>("pwrite");
  const int error = wanted_error("write", file);
  if (error == 0) return write_file(file, bytes, size, at);
  const size_t written = half(at, size);
  return written > 0 ? write_file(file, bytes, written, at) : fail(error);
}

ssize_t pwrite64(int file, const void* bytes, size_t size, off_t at) {
  return pwrite(file, bytes, size, at);
}

int fallocate(int file, int mode, off_t at, off_t size) {
  static const auto allocate = next<Allocate>("fallocate");
  const int error = wanted_error("write", file);
  return error == 0 ? allocate(file, mode, at, size) : fail(error);
}

int fallocate64(int file, int mode, off_t at, off_t size) {
  return fallocate(file, mode, at, size);
}

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  const mode_t mode = has_mode ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
  va_end(arguments);
  const int error = wanted_error_of("open", [path](auto& /*unused*/) { return std::string_view(path); });
  return error == 0 ? open_file(path, flags, mode) : fail(error);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  const mode_t mode = has_mode ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
  va_end(arguments);
  return open(path, flags, mode);
}

int fsync(int file) {
  static const auto sync_file = next<Sync>("fsync");
  const int error = wanted_error("sync", file);
  return error == 0 ? sync_file(file) : fail(error);
}

int fdatasync(int file) {
  static const auto sync_file = next<Sync>("fdatasync");
  const int error = wanted_error("sync", file);
  return error == 0 ? sync_file(file) : fail(error);
}

}  // extern "C"
