#include "rpc/remote_counter.h"

#include <utility>

#include "rpc/remote_link.h"

namespace tracker::rpc {

RemoteCounter::RemoteCounter(boost::asio::io_context& worker, const RemoteCounterSettings& settings)
    : link_(std::make_unique<RemoteLink>(worker, settings)) {}

RemoteCounter::~RemoteCounter() = default;

void RemoteCounter::track(const domain::HitBatch& hits, counter::TrackReply& reply) {
  link_->track(hits, reply);
}

void RemoteCounter::mint(domain::Deadline deadline, counter::MintReply& reply) {
  link_->mint(deadline, reply);
}

const counter::ReadinessSource& RemoteCounter::readiness() const {
  return link_->readiness();
}

}  // namespace tracker::rpc
