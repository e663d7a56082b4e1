#pragma once

#include <termios.h>

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace tracker::cli {

/// The terminal at standard output as a screen that is drawn anew and anew, and its keys. One at a time. Afterwards the terminal
/// is as it was.
class Screen {
 public:
  /// Whether there is a terminal.
  static bool is_there();

  Screen();
  ~Screen() { restore(); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  struct Size {
    std::size_t lines;
    std::size_t columns;
  };
  Size size() const;

  /// Shows these lines, which fit, and nothing else.
  void draw(const std::vector<std::string>& lines);

  /// Waits for a key. Nothing: the time is over, or the size has changed.
  std::optional<char> wait_for_key(std::chrono::milliseconds time);

  /// Nothing is drawn after it. Any thread.
  void restore();

 private:
  std::optional<termios> before_;  // of standard input; nothing: that is no terminal

  std::mutex mutex_;
  bool is_restored_ = false;  // mutex_
};

}  // namespace tracker::cli
