#include "runtime/drain.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace tracker::runtime {

Drain::Drain(boost::asio::io_context& control, const DrainSettings& settings, Steps steps)
    : control_(control),
      goes_on_(control.get_executor()),
      settings_(settings),
      steps_(std::move(steps)),
      timer_(control),
      signals_({.drain = [this] { boost::asio::post(control_, [this] { begin(); }); },
                .reread = [this] { boost::asio::post(control_, [this] { steps_.reread(); }); }},
               settings.delay + settings.limit) {}

void Drain::drained() {
  boost::asio::post(control_, [this] { steps_.end(); });
}

void Drain::begin() {
  steps_.not_ready();
  timer_.expires_after(settings_.delay);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) steps_.drain();
  });
}

}  // namespace tracker::runtime
