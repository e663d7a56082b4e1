#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "counter/counter.h"
#include "counter/counter_list.h"

namespace tracker::balancer {

/// Knows the list of the counters among which the tokens are partitioned, and tells it as its facts. It counts nothing.
/// It watches the counters: whether they can count, and whether one has adopted a later list than this one, which is then
/// outdated. A counter that is away keeps its slots, because its counts are there.
class Balancer final : public counter::Counter {
 public:
  /// Makes a counter that asks the one of an entry. Its facts and readiness change in the thread of `loop`.
  using MakeRemote =
      std::function<std::unique_ptr<counter::Counter>(const counter::CounterList::Entry& entry)>;

  /// The loop must have stopped, and still exist, when this is destroyed.
  Balancer(boost::asio::io_context& loop, counter::CounterListPtr list, MakeRemote make_remote);

  void track(const domain::HitBatch& hits, counter::TrackReply& reply) override;
  void mint(domain::Deadline deadline, counter::MintReply& reply) override;
  const counter::CounterFactsSource& facts() const override { return facts_; }
  /// Ready unless its list is outdated. Remarks name the counters that cannot count.
  const counter::ReadinessSource& readiness() const override { return readiness_; }

  /// Tells another list soon. One with a lower version, or with the same version and other owners, is refused and logged.
  /// Any thread.
  void adopt(counter::CounterListPtr list);

  /// Adds this remark to its readiness, soon; empty: none. Any thread.
  void note(std::string remark);

 private:
  struct Remote {
    std::string address;
    std::unique_ptr<counter::Counter> counter;
    std::vector<runtime::Subscription> subscriptions;
    domain::Readiness readiness = domain::Readiness::not_ready("it has not been reached yet");
    std::optional<counter::CounterFacts> facts = std::nullopt;
  };

  void use(const counter::CounterListPtr& list);
  void watch(const counter::CounterList::Entry& entry);
  void tell();
  std::string outdated() const;

  boost::asio::io_context& loop_;
  const MakeRemote make_remote_;
  counter::CounterFactsSource facts_;
  counter::ReadinessSource readiness_;

  // The loop's thread only.
  counter::CounterListPtr list_;
  std::string remark_;                                     // empty: none
  std::map<std::string, Remote> remotes_;                  // by name
  std::vector<std::unique_ptr<counter::Counter>> former_;  // a link must not end before its loop
};

}  // namespace tracker::balancer
