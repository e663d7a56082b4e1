#include "runtime/drain.h"

#include <boost/asio/post.hpp>
#include <csignal>

namespace tracker::runtime {

Drain::Drain(boost::asio::io_context& control, const DrainSettings& settings, Steps steps)
    : control_(control),
      settings_(settings),
      steps_(std::move(steps)),
      signals_(control, SIGTERM, SIGINT),
      timer_(control) {
  wait_for_signal();
}

void Drain::drained() {
  boost::asio::post(control_, [this] { end(true); });
}

void Drain::wait_for_signal() {
  signals_.async_wait([this](boost::system::error_code error, int signal) {
    if (error) return;
    if (draining_) {
      std::signal(signal, SIG_DFL);
      std::raise(signal);
    }
    draining_ = true;
    wait_for_signal();
    begin();
  });
}

void Drain::begin() {
  steps_.not_ready();
  timer_.expires_after(settings_.delay);
  timer_.async_wait([this](boost::system::error_code delay_error) {
    if (delay_error) return;
    timer_.expires_after(settings_.limit);
    timer_.async_wait([this](boost::system::error_code limit_error) {
      if (!limit_error) end(false);
    });
    steps_.drain();
  });
}

void Drain::end(bool in_time) {
  if (ended_) return;
  ended_ = true;
  timer_.cancel();
  signals_.cancel();
  steps_.end(in_time);
}

}  // namespace tracker::runtime
