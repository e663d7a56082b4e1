#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace tracker::runtime {

/// The signals of this process. A thread of its own takes SIGTERM, SIGINT and SIGHUP, so that they work whatever
/// the other threads do, and also where this is process 1, for which signals have no default actions.

/// The first thing in main(), before there is any other thread: from now on SIGTERM, SIGINT and SIGHUP wait for
/// start_signal_thread(), and SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE and SIGXFSZ are ignored.
void hold_signals() noexcept;

enum class Process {
  service,  // ends with 0 by SIGTERM or SIGINT while it starts, and SIGHUP never ends it
  command   // ends with 128 + the signal's number; SIGHUP does what it always does
};

/// Throws std::system_error if the machine has no thread for it.
void start_signal_thread(Process process);

/// What a service does on signals while this lives.
class SignalHandlers {
 public:
  struct Handlers {
    std::function<void()> drain;   // on the first SIGTERM or SIGINT; called once at most
    std::function<void()> reread;  // on SIGHUP
  };

  /// The handlers are called on the signals' thread, and must not block. `drain_time` after the first signal to
  /// end, or on a second one that comes a second after it or later, the process is ended, however far it is: with 0,
  /// or with 128 + the signal's number. Both are logged. That holds also when this does not live any more.
  SignalHandlers(Handlers handlers, std::chrono::milliseconds drain_time);
  ~SignalHandlers();
  SignalHandlers(const SignalHandlers&) = delete;
  SignalHandlers& operator=(const SignalHandlers&) = delete;
};

}  // namespace tracker::runtime
