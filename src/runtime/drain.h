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

/// The orderly end of a service. On SIGTERM or SIGINT the service becomes unready, goes on for `delay`, and then has
/// `limit` to drain and to end. SignalHandlers says what cuts this short. Belongs to the thread that runs `control`,
/// except where a function says otherwise.
class Drain {
 public:
  struct Steps {
    std::function<void()> not_ready;  // tell everybody who asks
    std::function<void()> drain;      // stop accepting, and call drained() when everything is answered
    std::function<void()> end;
    std::function<void()> reread;  // on SIGHUP: read the service's files again
  };

  /// Waits for signals as long as it lives, and keeps `control` running.
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
