#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "counter/partitioned_counter.h"
#include "rpc/remote_counter.h"
#include "runtime/log.h"

namespace tracker::app {

/// What the workers of an envoy log together, so that each change is one line. Any thread.
class EnvoyCountersLog {
 public:
  /// Of the counter with this name. Lasts as long as this object.
  runtime::ChangeLog& changes(const std::string& name);
  /// Logs what is wrong with the counters, unless the same words were logged already.
  void trouble(const std::string& words);

 private:
  std::mutex mutex_;
  std::map<std::string, runtime::ChangeLog> changes_;  // mutex_
  std::set<std::string> troubles_;                     // mutex_; that were logged
  runtime::RareLog log_;
};

/// The counters behind one worker of an envoy, by the list that it was given last. Counters that are in the list before
/// and after keep their connections.
class EnvoyCounters final : public counter::Counter {
 public:
  /// Without a list, everything is refused until one is adopted. The worker must have stopped, and still exist, when this
  /// is destroyed. `log` must outlive it.
  EnvoyCounters(boost::asio::io_context& worker, const counter::CounterListPtr& list, EnvoyCountersLog& log);

  // The worker's thread only.
  void track(const domain::HitBatch& hits, counter::TrackReply& reply) override;
  void mint(domain::Deadline deadline, counter::MintReply& reply) override;
  void read(const domain::Token& token, const store::CountsQuery& query, domain::Deadline deadline,
            counter::OnRead on_read) override;

  const counter::ReadinessSource& readiness() const override { return readiness_; }

  /// Uses another list soon, unless it must not replace the one so far (CounterList::refusal_of()), which is logged. Any
  /// thread.
  void adopt(counter::CounterListPtr list);

  /// What its links measure. Any thread.
  void report(metrics::Page& page) const;

 private:
  struct Remote {
    runtime::Address address;
    std::unique_ptr<rpc::RemoteCounter> counter;
  };

  void use(const counter::CounterListPtr& list);
  void retire_now();
  void let_go(Remote& remote);
  counter::Counter& remote(const counter::CounterList::Entry& entry, const counter::CounterListPtr& list);

  boost::asio::io_context& worker_;
  EnvoyCountersLog& log_;
  link::LinkMetrics metrics_;
  counter::ReadinessSource readiness_;
  std::map<std::string, Remote> remotes_;                    // by name
  std::vector<std::unique_ptr<rpc::RemoteCounter>> former_;  // that the list does not have any more
  counter::CounterListPtr list_;                             // null: none was given yet
  std::unique_ptr<counter::PartitionedCounter> now_;
  std::vector<std::unique_ptr<counter::PartitionedCounter>> before_;  // whose hits may still be under way
  std::optional<runtime::Subscription> now_to_readiness_;
};

}  // namespace tracker::app
