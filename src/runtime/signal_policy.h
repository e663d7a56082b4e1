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
    end,     // end now: nothing is served yet, or ever
    drain,   // the first SIGTERM or SIGINT of a service
    cut_off  // a later one: whoever sent the first does not want to wait any longer
  };

  /// Whether a signal to end begins a drain from now on.
  void set_serving(bool serving) { serving_ = serving; }

  /// Tells that SIGTERM or SIGINT has come.
  Action take_end(Clock::time_point now) {
    if (first_) return now - *first_ < settling ? Action::none : Action::cut_off;
    if (!serving_) return Action::end;
    first_ = now;
    return Action::drain;
  }

 private:
  /// Terminals and process managers may send one signal twice: to the process and to its group.
  static constexpr auto settling = std::chrono::seconds(1);

  bool serving_ = false;
  std::optional<Clock::time_point> first_;
};

}  // namespace tracker::runtime
