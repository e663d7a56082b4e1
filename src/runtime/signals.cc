#include "runtime/signals.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/log.h"
#include "runtime/signal_policy.h"
#include "runtime/workers.h"

namespace tracker::runtime {

namespace {

using Clock = SignalPolicy::Clock;

constexpr int exit_by_signal = 128;  // as in shells

struct Signals {
  Process process = Process::command;
  std::mutex mutex;  // protects everything below
  SignalPolicy policy;
  SignalHandlers::Handlers handlers;
  std::chrono::milliseconds drain_time{};
  std::optional<Clock::time_point> cut_off_at;
};

/// Never destroyed: its thread takes signals until the process has ended.
Signals& signals() {
  static auto& all = *new Signals;
  return all;
}

sigset_t set_of(std::initializer_list<int> numbers) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : numbers) sigaddset(&set, number);
  return set;
}

std::string name(int signal) {
  return signal == SIGTERM ? "SIGTERM" : "SIGINT";
}

[[noreturn]] void end_without_drain(int signal) {
  if (signals().process == Process::command) {
    log_failure("ended by " + name(signal));
    exit_now(exit_by_signal + signal);
  }
  log_info(name(signal) + " during the start: ending; nothing was served");
  exit_now(EXIT_SUCCESS);
}

void take_end(int signal) {
  auto& all = signals();
  const std::lock_guard lock(all.mutex);
  switch (all.policy.take_end(Clock::now())) {
    case SignalPolicy::Action::none:
      return;
    case SignalPolicy::Action::end:
      end_without_drain(signal);
    case SignalPolicy::Action::drain:
      all.cut_off_at = Clock::now() + all.drain_time;
      return all.handlers.drain();
    case SignalPolicy::Action::cut_off:
      log_end("a second signal, " + name(signal) + ": ending at once; what is left is cut off");
      exit_now(exit_by_signal + signal);
  }
}

void take_hangup() {
  auto& all = signals();
  const std::lock_guard lock(all.mutex);
  if (all.handlers.reread) all.handlers.reread();
}

/// Returns the signal, or 0 when it is time to cut off.
int wait_for(const sigset_t& set) {
  std::optional<Clock::time_point> end;
  {
    const std::lock_guard lock(signals().mutex);
    end = signals().cut_off_at;
  }
  for (;;) {
    int signal = 0;
    if (end) {
      const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(*end - Clock::now()).count();
      if (left <= 0) return 0;
      const timespec timeout{static_cast<std::time_t>(left / 1'000'000'000),
                             static_cast<long>(left % 1'000'000'000)};
      signal = sigtimedwait(&set, nullptr, &timeout);
    } else {
      signal = sigwaitinfo(&set, nullptr);
    }
    if (signal > 0) return signal;  // otherwise EINTR, or EAGAIN when the time is over
  }
}

void take_signals(const sigset_t& set) {
  for (;;) {
    const int signal = wait_for(set);
    if (signal == 0) {
      log_end("--drain-limit has passed; what is left is cut off");
      exit_now(EXIT_SUCCESS);
    }
    signal == SIGHUP ? take_hangup() : take_end(signal);
  }
}

}  // namespace

void hold_signals() noexcept {
  const auto held = set_of({SIGTERM, SIGINT, SIGHUP});
  pthread_sigmask(SIG_BLOCK, &held, nullptr);
  for (const int ignored : {SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE, SIGXFSZ}) std::signal(ignored, SIG_IGN);
}

void start_signal_thread(Process process) {
  signals().process = process;
  auto taken = set_of({SIGTERM, SIGINT, SIGHUP});
  if (process == Process::command) {
    sigdelset(&taken, SIGHUP);
    const auto hangup = set_of({SIGHUP});
    pthread_sigmask(SIG_UNBLOCK, &hangup, nullptr);
  }
  start_thread("signals", [taken] { take_signals(taken); }).detach();
}

SignalHandlers::SignalHandlers(Handlers handlers, std::chrono::milliseconds drain_time) {
  auto& all = signals();
  const std::lock_guard lock(all.mutex);
  all.handlers = std::move(handlers);
  all.drain_time = drain_time;
  all.policy.set_serving(true);
}

SignalHandlers::~SignalHandlers() {
  auto& all = signals();
  const std::lock_guard lock(all.mutex);
  all.handlers = {};
  all.policy.set_serving(false);
}

}  // namespace tracker::runtime
