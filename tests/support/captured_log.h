#ifndef TRACKER_TESTS_SUPPORT_CAPTURED_LOG_H_
#define TRACKER_TESTS_SUPPORT_CAPTURED_LOG_H_

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <string>

#include "runtime/log.h"

namespace tracker::tests {

// A log must be open before any thread logs.
inline const bool log_is_open = [] {
  runtime::open_log("test", "");
  return true;
}();

// Captures what the code under test logs in this process during the lifetime of this object.
class CapturedLog {
 public:
  CapturedLog() {
    runtime::flush_log();
    ::dup2(file_, STDERR_FILENO);
  }
  ~CapturedLog() {
    runtime::flush_log();
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    ::close(file_);
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  // Call this when nobody logs any more.
  std::string text() const {
    runtime::flush_log();
    std::string all;
    std::array<char, 4096> buffer{};
    for (ssize_t size = 0;
         (size = ::pread(file_, buffer.data(), buffer.size(), static_cast<off_t>(all.size()))) > 0;) {
      all.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return all;
  }

 private:
  const int before_ = ::dup(STDERR_FILENO);
  const int file_ = ::memfd_create("captured log", MFD_CLOEXEC);
};

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_CAPTURED_LOG_H_
