#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/observable.h"
#include "store/counter_store.h"
#include "store/redis/redis_settings.h"

namespace tracker::store::redis {

/// Which master of a cluster has which slot. A value.
struct ClusterSlots {
  static constexpr std::uint16_t nobody = UINT16_MAX;

  std::vector<std::string> masters = {};  // their ids
  std::vector<std::uint16_t> owners =
      {};  // of each slot: an index into masters, or nobody; empty: not known yet
  std::map<std::string, std::string> nodes =
      {};  // the ids of nodes, by the addresses at which they were asked

  bool operator==(const ClusterSlots&) const = default;
};

/// Counts in a Redis Cluster. Each master has a connection of its own, and a batch is divided among them by slot. Nothing
/// that a node perhaps executed is sent again. What a node certainly did not execute (MOVED, ASK, TRYAGAIN and the like)
/// is sent to the right node within the hits' deadline.
///
/// While no node fails, nothing is lost when slots move. What a failover loses is Redis' to say: a replica may not have
/// what its master answered.
class ClusterStore final : public CounterStore {
 public:
  /// `nodes` are those to begin with: any nodes of the cluster. They share user and password. Connects as soon as the
  /// loop runs. Nodes that are not there are no error.
  ClusterStore(boost::asio::io_context& loop, const RedisSettings& settings,
               const std::vector<runtime::Address>& nodes);

  /// The loop must have stopped and must still exist.
  ~ClusterStore() override;

  void track(const domain::HitBatch& hits, TrackReply& reply) override;
  void add_token(const domain::TokenId& id, const domain::TokenRecord& record, domain::Deadline deadline,
                 AddReply& reply) override;
  /// The cluster is known by the ids of its masters.
  const StoreFactsSource& facts() const override;
  /// Not done: the counters of one cluster own every token. So is find_slots().
  void write_record(std::string record, domain::Deadline deadline, WriteReply& reply) override;
  void find_slots(SlotsReply& reply) override;
  /// Ready while any master counts. Remarks name the others.
  const ReadinessSource& readiness() const override;
  void report(metrics::Page& page) const override;

  /// Adds what the links to the nodes measure, which is a part of that. Any thread.
  void report_links(metrics::Page& page) const;

  /// Which master has which slot. Changes in the loop's thread.
  const runtime::Observable<ClusterSlots>& slots() const;

  /// Asks these nodes for their views, too, instead of those of the call before. Any thread.
  void ask_also(const std::vector<runtime::Address>& nodes);

  /// Connections made from now on log in with this password. Any thread.
  void set_password(const std::string& password);

  /// Waits until hits can be counted, or until `longest` has passed. Blocks; for start-up only.
  void wait_until_ready(std::chrono::milliseconds longest) const;

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tracker::store::redis
