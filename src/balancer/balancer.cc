#include "balancer/balancer.h"

#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "runtime/log.h"

namespace tracker::balancer {

using counter::CounterFacts;
using counter::CounterList;
using counter::CounterListPtr;
using domain::Readiness;

namespace {

CounterFacts facts_with(const CounterListPtr& list) {
  CounterFacts facts;
  facts.owns_every_token = false;
  facts.adopted = list;
  return facts;
}

}  // namespace

Balancer::Balancer(boost::asio::io_context& loop, CounterListPtr list, MakeRemote make_remote)
    : loop_(loop),
      make_remote_(std::move(make_remote)),
      facts_(facts_with(list)),
      readiness_(Readiness::ready(std::chrono::system_clock::now())) {
  boost::asio::post(loop_, [this, list = std::move(list)] { use(list); });
}

void Balancer::track(const domain::HitBatch& hits, counter::TrackReply& reply) {
  reply.on_one_verdict_for_all(hits.size(), domain::Verdict::not_counted());
}

void Balancer::mint(domain::Deadline /*deadline*/, counter::MintReply& reply) {
  reply.on_minted(domain::Failure::not_done);
}

void Balancer::adopt(CounterListPtr list) {
  boost::asio::post(loop_, [this, list = std::move(list)] {
    if (const auto refusal = list_->refusal_of(*list)) return runtime::log_warning(*refusal);
    use(list);
  });
}

void Balancer::note(std::string remark) {
  boost::asio::post(loop_, [this, remark = std::move(remark)] {
    remark_ = remark;
    tell();
  });
}

void Balancer::use(const CounterListPtr& list) {
  list_ = list;
  for (auto remote = remotes_.begin(); remote != remotes_.end();) {
    const auto* entry = list->find(remote->first);
    const bool stays = entry != nullptr && to_string(entry->address) == remote->second.address;
    if (!stays) {
      remote->second.subscriptions.clear();
      remote->second.counter->retire();
      former_.push_back(std::move(remote->second.counter));
    }
    remote = stays ? std::next(remote) : remotes_.erase(remote);
  }
  for (const auto& entry : list->entries()) {
    if (!remotes_.contains(entry.name)) watch(entry);
  }
  facts_.set(facts_with(list));
  tell();
}

void Balancer::watch(const CounterList::Entry& entry) {
  auto& remote = remotes_[entry.name];
  remote.address = to_string(entry.address);
  remote.counter = make_remote_(entry);
  remote.subscriptions.push_back(remote.counter->facts().subscribe([this, &remote](const auto& facts) {
    remote.facts = facts;
    tell();
  }));
  remote.subscriptions.push_back(
      remote.counter->readiness().subscribe([this, &remote](const auto& readiness) {
        remote.readiness = readiness;
        tell();
      }));
}

/// Returns why the list is outdated. Empty: it is not.
std::string Balancer::outdated() const {
  for (const auto& [name, remote] : remotes_) {
    if (!remote.facts || !remote.facts->adopted || remote.facts->adopted->version() <= list_->version())
      continue;
    return "counter " + name + " has adopted a later list, " + remote.facts->adopted->described() +
           ", than " + list_->described() + "; give this balancer that list";
  }
  return "";
}

void Balancer::tell() {
  const auto now = std::chrono::system_clock::now();
  if (const auto why = outdated(); !why.empty()) return readiness_.set(Readiness::not_ready(why, now));
  std::vector<std::string> remarks;
  if (!remark_.empty()) remarks.push_back(remark_);
  for (const auto& [name, remote] : remotes_) {
    if (!remote.readiness.is_ready()) remarks.push_back(remote.readiness.why_not());
  }
  readiness_.set(Readiness::ready(now, std::move(remarks)));
}

}  // namespace tracker::balancer
