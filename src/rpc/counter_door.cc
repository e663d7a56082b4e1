#include "rpc/counter_door.h"

#include <boost/asio/post.hpp>

namespace tracker::rpc {

CounterDoor::CounterDoor(boost::asio::io_context& control, const std::vector<boost::asio::io_context*>& loops,
                         const runtime::Address& address, counter::Counter& counter,
                         const CounterServerSettings& settings)
    : server_(std::make_unique<CounterServer>(loops, address, counter, settings)) {
  // The server passes both on in this order, so an envoy knows who the counter is before it may send hits.
  facts_to_server_.emplace(
      counter.facts().subscribe([this](const std::optional<counter::CounterFacts>& facts) {
        server_->set_facts(facts.value_or(counter::CounterFacts{}));
      }));
  server_->set_readiness(counter.readiness().value());
  readiness_to_server_.emplace(
      counter.readiness().subscribe([&control, this](const domain::Readiness& readiness) {
        boost::asio::post(control, [this, readiness] {
          if (readiness_to_server_) server_->set_readiness(readiness);
        });
      }));
}

CounterDoor::~CounterDoor() {
  if (draining_.joinable()) draining_.join();
}

void CounterDoor::drain(std::chrono::milliseconds limit, std::function<void()> drained) {
  readiness_to_server_.reset();
  draining_ = std::thread([this, limit, drained = std::move(drained)] {
    server_->drain(limit);
    drained();
  });
}

}  // namespace tracker::rpc
