#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace tracker::runtime {

/// The signals of this process. A thread of its own handles SIGTERM, SIGINT and SIGHUP. So they work whatever other
/// threads do, and also in process 1, for which signals have no default actions.

/// Must be called first in main(), before there is another thread. From then on, SIGTERM, SIGINT and SIGHUP wait for
/// start_signal_thread(). SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE and SIGXFSZ are ignored.
void hold_signals() noexcept;

enum class Process {
  service,  // while it starts, SIGTERM and SIGINT end it with 0; SIGHUP never ends it
  command   // SIGTERM and SIGINT end it with 128 + their number; SIGHUP has its default action
};

/// Throws std::system_error if the machine refuses the thread.
void start_signal_thread(Process process);

/// What a service does on signals, as long as this lives.
class SignalHandlers {
 public:
  struct Handlers {
    std::function<void()> drain;   // on the first SIGTERM or SIGINT; called at most once
    std::function<void()> reread;  // on SIGHUP
  };

  /// The handlers are called on the signal thread and must not block. The process is ended by force `drain_time` after
  /// the first SIGTERM or SIGINT, with 0; or on a second one that comes a second or more after the first, with 128 +
  /// its number. Both are logged. This also holds after this object is gone.
  SignalHandlers(Handlers handlers, std::chrono::milliseconds drain_time);
  ~SignalHandlers();
  SignalHandlers(const SignalHandlers&) = delete;
  SignalHandlers& operator=(const SignalHandlers&) = delete;
};

}  // namespace tracker::runtime
