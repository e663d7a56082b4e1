#include "runtime/log_queue.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>

#include "runtime/workers.h"

namespace tracker::runtime {

namespace {
/// For a thread that has lines to write, and a descriptor that takes them, but no processor yet.
constexpr auto busy_machine_longest = std::chrono::seconds(5);
}  // namespace

int write_all(int descriptor, std::string_view text) noexcept {
  return write_from(descriptor, text);
}

int write_from(int descriptor, std::string_view& text) noexcept {
  while (!text.empty()) {
    const auto written = ::write(descriptor, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // another process that shares it made it non-blocking
      pollfd ready{descriptor, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

struct LogQueue::State {
  State(int its_descriptor, std::size_t its_lines_max, ToLine its_to_line)
      : descriptor(its_descriptor), lines_max(its_lines_max), to_line(std::move(its_to_line)) {}

  bool has_more() const { return !lines.empty() || ended; }
  bool is_idle() const {
    return lines.empty() && !busy && (calls.empty() || calls.begin()->first > Clock::now());
  }
  void drop(std::size_t count, std::string why) {
    dropped += count;
    why_dropped = std::move(why);
  }

  void run();
  void wait(std::unique_lock<std::mutex>& lock);
  void write_next(std::unique_lock<std::mutex>& lock);

  const int descriptor;
  const std::size_t lines_max;
  const ToLine to_line;

  std::mutex mutex;  // protects everything below; never held during a write or a call
  std::condition_variable changed;
  std::deque<std::string> lines;
  std::multimap<Clock::time_point, std::function<void()>> calls;
  std::size_t dropped = 0;
  std::size_t dropped_ever = 0;
  std::string why_dropped;
  bool busy = false;  // writing a line, or running a call
  bool ended = false;
};

void LogQueue::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    wait(lock);
    if (!calls.empty() && calls.begin()->first <= Clock::now()) {
      const auto call = std::move(calls.begin()->second);
      calls.erase(calls.begin());
      busy = true;
      lock.unlock();
      call();
      lock.lock();
    } else if (!lines.empty()) {
      busy = true;
      write_next(lock);
    } else if (ended) {
      return;
    }
    busy = false;
    changed.notify_all();
  }
}

void LogQueue::State::wait(std::unique_lock<std::mutex>& lock) {
  if (calls.empty()) {
    changed.wait(lock, [this] { return has_more() || !calls.empty(); });
  } else {
    const auto first = calls.begin()->first;
    changed.wait_until(lock, first, [this, first] { return has_more() || calls.begin()->first < first; });
  }
}

/// One write per line: a write of up to PIPE_BUF bytes never mixes with what others write to the same pipe.
void LogQueue::State::write_next(std::unique_lock<std::mutex>& lock) {
  const auto lost = std::exchange(dropped, 0);
  std::string text;
  if (lost > 0) {
    text = to_line(std::to_string(lost) + (lost == 1 ? " log line was" : " log lines were") +
                   " dropped, since " + why_dropped);
  } else {
    text = std::move(lines.front());
    lines.pop_front();
  }
  text += '\n';
  lock.unlock();
  const int error = write_all(descriptor, text);
  lock.lock();
  if (error == 0) return;
  ++dropped_ever;  // this line, or the next one; the others have been counted
  drop(std::max<std::size_t>(lost, 1),
       "standard error could not be written: " + std::generic_category().message(error));
  if (lost > 0) {  // the next line could not be written either
    lines.pop_front();
    ++dropped;
  }
}

LogQueue::LogQueue(int descriptor, std::size_t lines_max, ToLine to_line)
    : state_(std::make_shared<State>(descriptor, lines_max, std::move(to_line))) {}

LogQueue::~LogQueue() {
  const std::lock_guard lock(state_->mutex);
  state_->ended = true;
  state_->changed.notify_all();
}

void LogQueue::start() {
  start_thread("log", [state = state_] { state->run(); }).detach();
}

void LogQueue::push(std::string line) {
  const std::lock_guard lock(state_->mutex);
  if (state_->lines.size() >= state_->lines_max) {
    state_->lines.pop_front();
    state_->drop(1, "standard error was not read");
    ++state_->dropped_ever;
  }
  state_->lines.push_back(std::move(line));
  state_->changed.notify_all();
}

std::size_t LogQueue::dropped() const {
  const std::lock_guard lock(state_->mutex);
  return state_->dropped_ever;
}

void LogQueue::call_at(Clock::time_point when, std::function<void()> call) {
  const std::lock_guard lock(state_->mutex);
  state_->calls.emplace(when, std::move(call));
  state_->changed.notify_all();
}

bool LogQueue::flush(std::chrono::milliseconds at_most) {
  std::unique_lock lock(state_->mutex);
  const auto now = Clock::now();
  while (!state_->calls.empty() && std::prev(state_->calls.end())->first > now) {
    auto call = state_->calls.extract(std::prev(state_->calls.end()));
    call.key() = now;
    state_->calls.insert(std::move(call));
  }
  state_->changed.notify_all();
  while (!state_->changed.wait_for(lock, at_most, [this] { return state_->is_idle(); })) {
    pollfd ready{state_->descriptor, POLLOUT, 0};
    if (Clock::now() - now > busy_machine_longest || ::poll(&ready, 1, 0) <= 0) return false;
  }
  return true;
}

}  // namespace tracker::runtime
