#include "rpc/counter_door.h"

namespace tracker::rpc {

namespace {
constexpr auto readiness_pause = std::chrono::milliseconds(50);
}

CounterDoor::CounterDoor(boost::asio::io_context& control, boost::asio::io_context& loop,
                         const runtime::Address& address, counter::Counter& counter,
                         const CounterServerSettings& settings)
    : counter_(counter),
      server_(std::make_unique<CounterServer>(std::vector{&loop}, address, counter, settings)),
      timer_(control) {
  follow_readiness();
}

CounterDoor::~CounterDoor() {
  if (draining_.joinable()) draining_.join();
}

void CounterDoor::follow_readiness() {
  server_->set_readiness(counter_.why_not_ready().value_or(""));
  timer_.expires_after(readiness_pause);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error || draining_.joinable()) return;  // it may have been due already when drain() cancelled it
    follow_readiness();
  });
}

void CounterDoor::drain(std::chrono::milliseconds limit, std::function<void()> drained) {
  timer_.cancel();
  draining_ = std::thread([this, limit, drained = std::move(drained)] {
    server_->drain(limit);
    drained();
  });
}

}  // namespace tracker::rpc
