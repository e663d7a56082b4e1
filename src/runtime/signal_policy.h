#pragma once

#include <chrono>
#include <csignal>
#include <optional>

namespace tracker::runtime {

/// What a signal means for the process. Pure: the time is an argument.
class SignalPolicy {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Action {
    none,
    end,     // there is nothing to drain: it serves nobody yet, or never will
    drain,   // the first signal to end of a service
    cut_off  // whoever sent the first one does not want to wait any more
  };

  /// From now on the end is a drain; or, with false, it is not any more.
  void set_serving(bool serving) { serving_ = serving; }

  /// SIGTERM or SIGINT has come.
  Action take_end(Clock::time_point now) {
    if (first_) return now - *first_ < settling ? Action::none : Action::cut_off;
    if (!serving_) return Action::end;
    first_ = now;
    return Action::drain;
  }

 private:
  /// Terminals and process managers may send a signal twice, to the process and to its group.
  static constexpr auto settling = std::chrono::seconds(1);

  bool serving_ = false;
  std::optional<Clock::time_point> first_;
};

}  // namespace tracker::runtime
