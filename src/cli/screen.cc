#include "cli/screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <string_view>

namespace tracker::cli {

namespace {

// Of xterm, which every terminal of today understands.
constexpr std::string_view begin = "\033[?1049h\033[?25l\033[?7l";  // another screen, no cursor, no wrapping
constexpr std::string_view end = "\033[?7h\033[?25h\033[?1049l";
constexpr std::string_view home = "\033[H";
constexpr std::string_view clear_line = "\033[K";
constexpr std::string_view clear_below = "\033[J";

void write_all(std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

bool Screen::is_there() {
  return ::isatty(STDOUT_FILENO) == 1;
}

Screen::Screen() {
  struct sigaction resized {};
  resized.sa_handler = [](int) {};  // so that a wait for a key ends
  ::sigaction(SIGWINCH, &resized, nullptr);
  if (termios now{}; ::tcgetattr(STDIN_FILENO, &now) == 0) {
    before_ = now;
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    now.c_cc[VSUSP] = _POSIX_VDISABLE;  // a shell would get the terminal as it is
    ::tcsetattr(STDIN_FILENO, TCSANOW, &now);
  }
  write_all(begin);
}

Screen::Size Screen::size() const {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {24, 80};
  return {size.ws_row, size.ws_col};
}

void Screen::draw(const std::vector<std::string>& lines) {
  std::string text(home);
  for (const auto& line : lines) {
    if (&line != &lines.front()) text += "\r\n";
    text += &line == &lines.back() ? clear_below
                                   : clear_line;  // before it: at the last column it would clear a character
    text += line;
  }
  const std::lock_guard lock(mutex_);
  if (!is_restored_) write_all(text);
}

std::optional<char> Screen::wait_for_key(std::chrono::milliseconds time) {
  pollfd input{.fd = before_ ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
  if (::poll(&input, 1, static_cast<int>(time.count())) <= 0) return std::nullopt;
  char key = 0;
  if (::read(STDIN_FILENO, &key, 1) == 1) return key;
  return 'q';  // the terminal is gone
}

void Screen::restore() {
  const std::lock_guard lock(mutex_);
  if (is_restored_) return;
  is_restored_ = true;
  write_all(end);
  if (before_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &*before_);
}

}  // namespace tracker::cli
