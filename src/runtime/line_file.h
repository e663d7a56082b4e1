#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace tracker::runtime {

/// A file for many lines. It may be slow, full, or a pipe that nobody reads, and nobody waits for it: lines go into a
/// queue, and a thread of its own writes them. When the queue is full, new lines are dropped. The log says how many, at
/// once and then every 5 s.
class LineFile {
 public:
  /// Opens the file to append to it, and makes it if need be, for this user alone. `-` is the standard output. `name`
  /// is what the log calls it. The queue holds `bytes_max`. Throws std::system_error if the file cannot be opened, or
  /// the machine refuses the thread.
  LineFile(std::string path, std::string name, std::size_t bytes_max);

  /// Gives what is queued a moment to be written: a second, and up to 5 s while some of it is written in each second.
  /// What is left then is dropped, and the log says so.
  ~LineFile();

  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  /// Takes `count` lines, each with its newline, and leaves `lines` empty. They are written within about 10 ms, unless
  /// the file is slow. Any thread.
  void push(std::string& lines, std::size_t count);

  /// Opens the path anew, after what is queued now, and logs that. If that fails, the file that is open goes on. Does
  /// not wait for it. The standard output stays. Any thread.
  void reopen();

  /// Waits until all that was pushed is written, no longer than `at_most` while nothing is written, and no longer than
  /// 5 s. Returns whether all is written. Any thread.
  bool flush(std::chrono::milliseconds at_most);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the thread, which may outlive this
};

}  // namespace tracker::runtime
