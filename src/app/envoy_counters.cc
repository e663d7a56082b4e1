#include "app/envoy_counters.h"

#include <boost/asio/post.hpp>
#include <chrono>
#include <iterator>
#include <utility>

#include "app/version.h"

namespace tracker::app {

using counter::CounterList;
using counter::CounterListPtr;

namespace {
constexpr std::size_t troubles_max = 1'000;
}

runtime::ChangeLog& EnvoyCountersLog::changes(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return changes_[name];
}

void EnvoyCountersLog::trouble(const std::string& words) {
  {
    const std::lock_guard lock(mutex_);
    if (troubles_.size() >= troubles_max) troubles_.clear();
    if (!troubles_.insert(words).second) return;
  }
  log_.warning(words);
}

EnvoyCounters::EnvoyCounters(boost::asio::io_context& worker, const CounterListPtr& list,
                             EnvoyCountersLog& log)
    : worker_(worker),
      log_(log),
      readiness_(
          domain::Readiness::not_ready("no counter has been reached yet", std::chrono::system_clock::now())) {
  if (list) use(list);
}

void EnvoyCounters::track(const domain::HitBatch& hits, counter::TrackReply& reply) {
  if (!now_) return reply.on_one_verdict_for_all(hits.size(), domain::Verdict::not_counted());
  now_->track(hits, reply);
}

void EnvoyCounters::mint(domain::Deadline deadline, counter::MintReply& reply) {
  if (!now_) return reply.on_minted(domain::Failure::not_done);
  now_->mint(deadline, reply);
}

void EnvoyCounters::read(const domain::Token& token, const store::CountsQuery& query,
                         domain::Deadline deadline, counter::OnRead on_read) {
  if (!now_) {
    return on_read(
        counter::ReadFailure{counter::ReadFailure::Kind::unavailable, "no counter has been reached yet"});
  }
  now_->read(token, query, deadline, std::move(on_read));
}

void EnvoyCounters::adopt(CounterListPtr list) {
  boost::asio::post(worker_, [this, list = std::move(list)] {
    if (list_ && *list == *list_) return;
    if (const auto refusal = list_ ? list_->refusal_of(*list) : std::nullopt) return log_.trouble(*refusal);
    use(list);
  });
}

void EnvoyCounters::use(const CounterListPtr& list) {
  std::vector<counter::Counter*> counters;
  for (const auto& entry : list->entries()) {
    if (!entry.leaving) counters.push_back(&remote(entry, list));
  }
  now_to_readiness_.reset();
  if (now_) retire_now();
  list_ = list;
  now_ = std::make_unique<counter::PartitionedCounter>(
      list, counters, [this](const std::string& words) { log_.trouble(words); });
  now_to_readiness_.emplace(
      now_->readiness().subscribe([this](const domain::Readiness& readiness) { readiness_.set(readiness); }));
  for (auto remote = remotes_.begin(); remote != remotes_.end();) {
    const auto* entry = list->find(remote->first);
    const bool is_asked = entry != nullptr && !entry->leaving;
    if (!is_asked) let_go(remote->second);
    remote = is_asked ? std::next(remote) : remotes_.erase(remote);
  }
}

void EnvoyCounters::retire_now() {
  std::erase_if(before_, [](const auto& before) { return before->is_idle(); });
  now_->retire();
  before_.push_back(std::move(now_));
}

void EnvoyCounters::let_go(Remote& remote) {
  remote.counter->retire();
  former_.push_back(std::move(remote.counter));
}

counter::Counter& EnvoyCounters::remote(const CounterList::Entry& entry, const CounterListPtr& list) {
  auto& its = remotes_[entry.name];
  if (its.counter && its.address != entry.address) let_go(its);
  if (its.counter) {
    its.counter->set_list(list);
  } else {
    its.address = entry.address;
    its.counter = std::make_unique<rpc::RemoteCounter>(
        worker_, rpc::RemoteCounterSettings{.address = entry.address,
                                            .version = TRACKER_VERSION,
                                            .name = entry.name,
                                            .list = list->entries().size() > 1 ? list : nullptr,
                                            .changes = &log_.changes(entry.name),
                                            .metrics = &metrics_});
  }
  return *its.counter;
}

void EnvoyCounters::report(metrics::Page& page) const {
  metrics_.report(page, "counter");
  page.histogram("tracker_stream_duration_seconds",
                 "Time from sending a message of hits to a counter until its last verdict.", {},
                 metrics_.round_trips);
  page.histogram("tracker_stream_message_hits", "Hits in one message to a counter.", {},
                 metrics_.message_hits);
}

}  // namespace tracker::app
