// A library to be preloaded into a program, whose disk then fails when a test wants it to. The file that
// $FAILING_DISK names says how, in one line, as long as it is there:
//
//   write ERROR PART   writing to a file whose path holds PART fails; half of what is to be written is, before, as far
//                      as that is whole sectors
//   sync ERROR PART    fsync and fdatasync of it fail
//
// ERROR is full (ENOSPC) or broken (EIO).

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

// The C library's own function of this name.
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

using Write = ssize_t(int, const void*, size_t);
using WriteAt = ssize_t(int, const void*, size_t, off_t);
using Sync = int(int);

// The error that this call is to meet on this file; 0: none.
int wanted_error(const char* call, int file) {
  const int before = errno;
  const char* control = std::getenv("FAILING_DISK");
  std::array<char, 256> line{};
  const int control_file = control == nullptr ? -1 : ::open(control, O_RDONLY | O_CLOEXEC);
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
  std::array<char, 64> link{};
  std::array<char, 4096> path{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", file);
  const ssize_t size = ::readlink(link.data(), path.data(), path.size());
  errno = before;
  if (size <= 0) return 0;
  const std::string_view name(path.data(), static_cast<std::size_t>(size));
  if (name.find(part.data()) == std::string_view::npos) return 0;
  return std::strcmp(error.data(), "full") == 0 ? ENOSPC : EIO;
}

// Half of what is to be written from this place on, or less, so that it ends with a sector.
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
