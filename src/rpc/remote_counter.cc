#include "rpc/remote_counter.h"

#include <memory>
#include <utility>

#include "rpc/remote_stream.h"

namespace tracker::rpc {

namespace {

link::Peer peer(const RemoteCounterSettings& settings, link::Link& link) {
  const auto authority = runtime::to_string(settings.address);
  return {.name = "counter " + authority,
          .address = settings.address,
          .settings = {},  // one message at a time; an answer is due by the deadlines of its hits
          .changes = settings.changes,
          .make_channel = [&link, authority, version = settings.version,
                           calls_max = settings.calls_per_connection](
                              auto id, std::unique_ptr<link::Transport> transport) {
            return std::make_shared<RemoteStream>(link, id, std::move(transport), authority, version,
                                                  calls_max);
          }};
}

}  // namespace

RemoteCounter::RemoteCounter(boost::asio::io_context& worker, const RemoteCounterSettings& settings)
    : link_(worker, peer(settings, link_)) {}

RemoteCounter::~RemoteCounter() = default;

void RemoteCounter::track(const domain::HitBatch& hits, counter::TrackReply& reply) {
  link_.track(hits, reply);
}

void RemoteCounter::mint(domain::Deadline deadline, counter::MintReply& reply) {
  link_.request(std::make_unique<MintCommand>(deadline, reply));
}

const counter::ReadinessSource& RemoteCounter::readiness() const {
  return link_.readiness();
}

}  // namespace tracker::rpc
