#include "rpc/remote_counter.h"

#include <memory>
#include <utility>

#include "rpc/remote_stream.h"

namespace tracker::rpc {

namespace {

constexpr std::chrono::milliseconds overtaking{50};
constexpr link::LinkSettings::Gathering gathering{8, 128, std::chrono::milliseconds(1)};

link::Peer peer(const RemoteCounterSettings& settings, link::Link& link, counter::CounterFactsSource& facts,
                const counter::CounterListPtr& list) {
  const auto authority = runtime::to_string(settings.address);
  const bool has_own_name = !settings.name.empty() && settings.name != authority;
  return {.name = settings.role + " " + (has_own_name ? settings.name + " at " + authority : authority),
          .address = settings.address,
          // One message at a time, unless a part of it hangs. An answer is due by the deadlines of its hits.
          .settings = {.overtaking = overtaking, .gathering = gathering},
          .changes = settings.changes,
          .metrics = settings.metrics,
          .make_channel = [&link, &facts, &list, authority, settings](
                              auto id, std::unique_ptr<link::Transport> transport) {
            return std::make_shared<RemoteStream>(
                link, id, std::move(transport),
                RemoteStreamSettings{
                    .authority = authority,
                    .version = settings.version,
                    .list = list,
                    .calls_max = settings.calls_per_connection,
                    .on_facts = [&facts](counter::CounterFacts its) { facts.set(std::move(its)); }});
          }};
}

}  // namespace

RemoteCounter::RemoteCounter(boost::asio::io_context& worker, const RemoteCounterSettings& settings)
    : list_(settings.list), link_(worker, peer(settings, link_, facts_, list_)) {}

RemoteCounter::~RemoteCounter() = default;

void RemoteCounter::track(const domain::HitBatch& hits, counter::TrackReply& reply) {
  link_.track(hits, reply);
}

void RemoteCounter::mint(domain::Deadline deadline, counter::MintReply& reply) {
  link_.request(std::make_unique<MintCommand>(deadline, reply));
}

void RemoteCounter::read(const domain::Token& token, const store::CountsQuery& query,
                         domain::Deadline deadline, counter::OnRead on_read) {
  link_.request(std::make_unique<ReadCommand>(deadline, OwnCountsRequest{token, query}, std::move(on_read)));
}

const counter::ReadinessSource& RemoteCounter::readiness() const {
  return link_.readiness();
}

}  // namespace tracker::rpc
