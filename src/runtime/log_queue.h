#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace tracker::runtime {

/// A queue of lines for a descriptor that may block for as long as it likes (a pipe that nobody reads). A thread of its
/// own writes them, and nobody waits for that thread. When the queue is full, a new line replaces the oldest one; later
/// the queue writes a line that says how many were dropped. Any thread.
class LogQueue {
 public:
  using Clock = std::chrono::steady_clock;

  /// Makes the line that says what was dropped.
  using ToLine = std::function<std::string(const std::string& words)>;

  /// The queue holds `lines_max` lines. Nothing is written before start().
  LogQueue(int descriptor, std::size_t lines_max, ToLine to_line = std::identity());

  /// The thread still writes what is queued, and then ends.
  ~LogQueue();

  /// Starts the thread. Throws std::system_error if the machine refuses it.
  void start();

  /// `line` has no newline at its end.
  void push(std::string line);

  /// Runs `call` on the queue's thread at `when`, or as soon after that as the thread is not writing.
  void call_at(Clock::time_point when, std::function<void()> call);

  /// Waits until all that was pushed is written and no call is due, no longer than `at_most` while the descriptor takes
  /// nothing, and than 5 s while it does: what call_at() was given is called now. Answers whether all is written.
  bool flush(std::chrono::milliseconds at_most);

  /// How many lines were dropped since the start.
  std::size_t dropped() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the thread, which may outlive this
};

/// Writes all of `text`, however long that takes. Returns 0, or the errno.
int write_all(int descriptor, std::string_view text) noexcept;

/// The same, and leaves in `text` what was not written.
int write_from(int descriptor, std::string_view& text) noexcept;

}  // namespace tracker::runtime
