#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>

namespace tracker::runtime {

struct DrainSettings {
  std::chrono::milliseconds delay{0};
  std::chrono::milliseconds limit{10'000};
};

/// The end of a service: on SIGTERM or SIGINT it is not ready any more, goes on for the delay, and then has
/// the limit to drain. A second signal ends the program at once, as if nobody had caught it. Belongs to the
/// thread that runs `control`, but for what says otherwise.
class Drain {
 public:
  struct Steps {
    std::function<void()> not_ready;  // tell whoever asks
    std::function<void()> drain;      // stop accepting, and call drained() once all is answered
    std::function<void(bool in_time)> end;
  };

  /// Waits for signals as long as `control` runs.
  Drain(boost::asio::io_context& control, const DrainSettings& settings, Steps steps);

  /// From any thread.
  void drained();

 private:
  void wait_for_signal();
  void begin();
  void end(bool in_time);

  boost::asio::io_context& control_;
  const DrainSettings settings_;
  const Steps steps_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer timer_;
  bool draining_ = false;
  bool ended_ = false;
};

}  // namespace tracker::runtime
