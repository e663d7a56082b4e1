#include "runtime/line_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "runtime/descriptor.h"
#include "runtime/log.h"
#include "runtime/log_pace.h"
#include "runtime/log_queue.h"
#include "runtime/workers.h"

namespace tracker::runtime {

namespace {

using Clock = std::chrono::steady_clock;

/// What comes within this time is written together, so that the thread need not wake up for each line.
constexpr auto gathering = std::chrono::milliseconds(10);
constexpr std::size_t gathered_bytes = 64 * 1024;  // is written at once
constexpr std::size_t spares_max = 64;
constexpr auto report_pause = std::chrono::seconds(5);
constexpr auto last_wait = std::chrono::seconds(1);
constexpr auto flush_longest = std::chrono::seconds(5);
constexpr const char* too_slow = "it takes them too slowly";

Descriptor open_to_append(const std::string& path) {
  if (path == "-") return Descriptor(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  // O_NONBLOCK: to open a named pipe would wait for its reader. write_all() waits all the same.
  return Descriptor(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                           S_IRUSR | S_IWUSR));
}

bool is_pipe(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode);
}

std::size_t lines_in(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

/// The first lines of `text` that go into a pipe as one piece; others may write to the same pipe.
std::string_view piece_of(std::string_view text) {
  if (text.size() <= PIPE_BUF) return text;
  auto end = text.substr(0, PIPE_BUF).rfind('\n');
  if (end == text.npos) end = std::min(text.find('\n'), text.size() - 1);
  return text.substr(0, end + 1);
}

}  // namespace

struct LineFile::State {
  struct Lines {
    std::string text;
    std::size_t count;
  };

  State(std::string its_path, std::string its_name, std::size_t its_bytes_max)
      : path(std::move(its_path)), name(std::move(its_name)), bytes_max(its_bytes_max) {}

  bool is_idle() const { return queue.empty() && !busy && !reopens; }
  bool has_work() const { return !queue.empty() || reopens || ended; }
  bool is_urgent() const { return reopens || ended || flushes || bytes >= gathered_bytes; }

  void run();
  void wait(std::unique_lock<std::mutex>& lock);
  void write_queue(std::unique_lock<std::mutex>& lock);
  std::size_t write(std::string_view text);
  void open_again();
  void drop(std::size_t count, const std::string& why);
  void report();

  const std::string path;
  const std::string name;
  const std::size_t bytes_max;

  // Of the thread.
  std::optional<Descriptor> file;
  bool in_pieces = false;
  bool line_is_cut = false;  // what was written last lacks its newline
  int error = 0;             // of the last write that failed

  std::atomic<std::size_t> pieces_written = 0;

  std::mutex mutex;  // protects everything below; never held during a write
  std::condition_variable changed;
  std::vector<Lines> queue;
  std::vector<std::string> spares;  // empty, with room
  std::size_t bytes = 0;            // in the queue, or being written
  std::size_t lines = 0;            // the same
  std::size_t dropped = 0;          // and not reported yet
  std::string why_dropped;
  LogPace pace{1, report_pause};
  bool busy = false;
  bool reopens = false;
  bool flushes = false;
  bool ended = false;
};

void LineFile::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    wait(lock);
    busy = true;
    const bool reopens_now = std::exchange(reopens, false);
    write_queue(lock);
    if (reopens_now) {
      lock.unlock();
      open_again();
      lock.lock();
    }
    busy = false;
    if (pace.next() <= Clock::now()) report();
    changed.notify_all();
    if (ended && queue.empty()) return;
  }
}

void LineFile::State::wait(std::unique_lock<std::mutex>& lock) {
  if (dropped > 0) {
    changed.wait_until(lock, pace.next(), [this] { return has_work(); });
  } else {
    changed.wait(lock, [this] { return has_work(); });
  }
  if (!queue.empty()) changed.wait_for(lock, gathering, [this] { return is_urgent(); });
}

void LineFile::State::write_queue(std::unique_lock<std::mutex>& lock) {
  for (auto& [text, count] : std::exchange(queue, {})) {
    lock.unlock();
    const auto written = write(text);
    lock.lock();
    bytes -= text.size();
    lines -= count;
    if (written < count)
      drop(count - written, "it could not be written: " + std::generic_category().message(error));
    text.clear();
    if (spares.size() < spares_max) spares.push_back(std::move(text));
  }
}

/// Returns how many lines were written whole.
std::size_t LineFile::State::write(std::string_view text) {
  std::size_t written = 0;
  while (!text.empty()) {
    if (line_is_cut && (error = write_all(file->number(), "\n")) != 0) return written;
    auto piece = in_pieces ? piece_of(text) : text;
    const auto whole = piece;
    error = write_from(file->number(), piece);
    const auto done = whole.substr(0, whole.size() - piece.size());
    line_is_cut = error != 0 && !done.empty() ? done.back() != '\n' : false;
    written += lines_in(done);
    ++pieces_written;
    if (error != 0) return written;
    text.remove_prefix(whole.size());
  }
  return written;
}

void LineFile::State::open_again() {
  Descriptor opened = open_to_append(path);
  if (!opened.is_open()) {
    return log_warning("SIGHUP: " + name + " stays open as it was: " + path +
                       " cannot be opened: " + std::generic_category().message(errno));
  }
  file.emplace(std::move(opened));
  in_pieces = is_pipe(file->number());
  line_is_cut = false;
  log_info("SIGHUP: opened " + name + " again: " + path);
}

void LineFile::State::drop(std::size_t count, const std::string& why) {
  dropped += count;
  why_dropped = why;
}

void LineFile::State::report() {
  if (dropped == 0) return;
  pace.take(Clock::now());
  const auto count = std::exchange(dropped, 0);
  log_warning(std::to_string(count) + (count == 1 ? " line of " : " lines of ") + name +
              (count == 1 ? " was" : " were") + " dropped, since " + why_dropped);
}

LineFile::LineFile(std::string path, std::string name, std::size_t bytes_max)
    : state_(std::make_shared<State>(std::move(path), std::move(name), bytes_max)) {
  state_->file.emplace(open_to_append(state_->path));
  if (!state_->file->is_open()) throw std::system_error(errno, std::generic_category());
  state_->in_pieces = is_pipe(state_->file->number());
  start_thread("line-file", [state = state_] { state->run(); }).detach();
}

LineFile::~LineFile() {
  const bool all_written = flush(last_wait);
  const std::lock_guard lock(state_->mutex);
  if (!all_written) {
    state_->queue.clear();
    state_->drop(state_->lines, too_slow);
  }
  state_->report();
  state_->ended = true;
  state_->changed.notify_all();
}

void LineFile::push(std::string& lines, std::size_t count) {
  auto& state = *state_;
  const std::lock_guard lock(state.mutex);
  if (state.bytes + lines.size() > state.bytes_max) {
    state.drop(count, too_slow);
    if (state.pace.next() <= Clock::now()) state.report();
    return lines.clear();
  }
  const bool wakes = state.queue.empty();
  const bool was_urgent = state.is_urgent();
  state.bytes += lines.size();
  state.lines += count;
  state.queue.push_back({std::move(lines), count});
  lines.clear();
  if (!state.spares.empty()) {
    lines.swap(state.spares.back());
    state.spares.pop_back();
  }
  if (wakes || state.is_urgent() != was_urgent) state.changed.notify_all();
}

void LineFile::reopen() {
  if (state_->path == "-") return;
  const std::lock_guard lock(state_->mutex);
  state_->reopens = true;
  state_->changed.notify_all();
}

bool LineFile::flush(std::chrono::milliseconds at_most) {
  auto& state = *state_;
  std::unique_lock lock(state.mutex);
  state.flushes = true;
  state.changed.notify_all();
  const auto end = Clock::now() + flush_longest;
  bool all_written = false;
  for (auto written = state.pieces_written.load();; written = state.pieces_written) {
    all_written = state.changed.wait_for(lock, at_most, [&state] { return state.is_idle(); });
    if (all_written || written == state.pieces_written || Clock::now() > end) break;
  }
  state.flushes = false;
  return all_written;
}

}  // namespace tracker::runtime
