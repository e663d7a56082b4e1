#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>

#include "runtime/signals.h"

namespace tracker::runtime {

struct DrainSettings {
  std::chrono::milliseconds delay{0};
  std::chrono::milliseconds limit{10'000};
};

/// The end of a service: on SIGTERM or SIGINT it is not ready any more, goes on for the delay, and then has
/// the limit to drain and to end; see SignalHandlers for what cuts it off. Belongs to the thread that runs
/// `control`, but for what says otherwise.
class Drain {
 public:
  struct Steps {
    std::function<void()> not_ready;  // tell whoever asks
    std::function<void()> drain;      // stop accepting, and call drained() once all is answered
    std::function<void()> end;
    std::function<void()> reread;  // on SIGHUP: read anew what was read from files
  };

  /// Waits for signals as long as it lives, and `control` goes on meanwhile.
  Drain(boost::asio::io_context& control, const DrainSettings& settings, Steps steps);

  /// From any thread.
  void drained();

 private:
  void begin();

  boost::asio::io_context& control_;
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> goes_on_;
  const DrainSettings settings_;
  const Steps steps_;
  boost::asio::steady_timer timer_;
  const SignalHandlers signals_;
};

}  // namespace tracker::runtime
