#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "runtime/descriptor.h"

namespace tracker::cli {

/// Says now and then how far a file has been written or read: every second on a terminal, in one line, and otherwise a line
/// every 10 s. Whoever writes or reads shares the descriptor, and so its place in the file, even another process.
class FileProgress {
 public:
  /// `bytes`: of the file that is read. 0: it is being written. `out` and `pause`: where to say it, and how often; a
  /// pause of 0 is as above.
  FileProgress(int descriptor, off_t bytes, std::FILE* out = stderr,
               std::chrono::milliseconds pause = std::chrono::milliseconds(0));
  ~FileProgress();

 private:
  void run();
  std::string words();

  const int descriptor_;
  const off_t bytes_;
  std::FILE* const out_;
  const bool is_terminal_;
  const std::chrono::milliseconds pause_;
  const std::chrono::steady_clock::time_point begin_;
  off_t last_ = 0;
  std::optional<std::chrono::steady_clock::time_point> second_begin_;  // it is read twice
  std::mutex mutex_;
  std::condition_variable changed_;
  bool has_ended_ = false;  // mutex_
  std::thread thread_;
};

/// A file that is being written under another name. It gets its own at the end.
class NewFile {
 public:
  /// `-` is the standard output. Throws StartupError.
  explicit NewFile(const std::string& path);
  /// Removes what was written, unless finish() was called.
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  int descriptor() const noexcept { return is_standard_ ? 1 : file_.number(); }
  /// Throws StartupError.
  void finish();

 private:
  static runtime::Descriptor make(const std::string& path, const std::string& part);

  const std::string path_;
  const std::string part_;
  const bool is_standard_;
  const runtime::Descriptor file_;
  bool is_finished_ = false;
};

/// Opens a file to be read from any place. `-`: keeps the standard input in a temporary file. Throws StartupError.
runtime::Descriptor open_to_import(const std::string& path);

}  // namespace tracker::cli
