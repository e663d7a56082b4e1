#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "counter/counter.h"
#include "counter/membership.h"
#include "counter/read_queue.h"
#include "counter/token_terms.h"
#include "runtime/log.h"
#include "store/readiness.h"

namespace tracker::counter {

/// The counter of this process as one of several among which the tokens are partitioned. It counts and mints in its
/// settled slots, and refuses all other hits. Performs what a Membership decides. Invariants:
/// 1. Nothing is counted or minted in a slot unless a record is durable by which the slot is settled.
/// 2. A list is durable, and told to others, only after all hits in slots that it takes away have their verdicts.
/// 3. A token is minted only after the record is durable by which its slot may hold tokens.
/// 4. At most one record is being written.
/// 5. Nothing is counted before the first record is written. By that a store that several processes can reach refuses
///    those that had it before.
class PartitionMember final : public Counter {
 public:
  /// Makes a counter that asks the one of an entry. Its facts and readiness may change on any thread.
  using MakePeer = std::function<std::unique_ptr<Counter>(const CounterList::Entry& entry)>;

  /// `list` has this `name`. Null: the list that the store has kept counts, or else nothing is counted until one is
  /// adopted. `control` runs the decisions, and has stopped before this is destroyed.
  /// `reads` reads the store; null: it cannot be read. `terms` are for tokens of clients.
  PartitionMember(boost::asio::io_context& control, store::CounterStore& store, std::string name,
                  CounterListPtr list, MakePeer make_peer, std::unique_ptr<ReadQueue> reads = nullptr,
                  TokenTerms terms = {});
  ~PartitionMember() override;

  void track(const domain::HitBatch& hits, TrackReply& reply) override;
  void mint(domain::Deadline deadline, MintReply& reply) override;
  void mint(const domain::TokenRecord& record, domain::Deadline deadline, MintReply& reply) override;
  /// Reads tokens of the settled slots alone. `on_read` may be called on any thread.
  void read(const domain::Token& token, const store::CountsQuery& query, domain::Deadline deadline,
            OnRead on_read) override;
  const CounterFactsSource& facts() const override { return facts_; }
  std::optional<std::string> owner_elsewhere(const domain::TokenId& id) const override;
  const ReadinessSource& readiness() const override { return joint_.readiness(); }

  /// Adopts another list soon. One that is refused is logged, and the list so far stays. Any thread.
  void adopt(CounterListPtr list);

  /// Gets nothing once it is durable, or why it is not done.
  using OnImport = std::function<void(const std::optional<std::string>& why_not)>;
  /// See Membership. `done` is called on the control loop; if the store cannot be written, that may take any time. Any thread.
  void begin_import(const Membership::Import& import, OnImport done);
  void end_import(const Membership::Import& import, OnImport done);
  /// The record that is durable. Nothing: there is none yet. Any thread.
  std::optional<PartitionRecord> record() const;

  /// Says in words what came of a call, and what is lost by it.
  using OnForgotten = std::function<void(bool is_forgotten, const std::string& words)>;
  /// Forgets a name, for which slots of the store were `emptied`: see Membership. If its list was refused, adopts it then if
  /// it can. Calls `done` on the control loop, once it is durable; if the store cannot be written, that may take any time. Any
  /// thread.
  void forget(const std::string& name, const domain::SlotSet& emptied, OnForgotten done);

 private:
  /// What is counted. It does not change. Whoever counts by it holds it until the verdicts.
  struct View {
    CounterListPtr list;
    domain::SlotSet countable;
  };
  using ViewPtr = std::shared_ptr<const View>;
  struct WaitingMint {
    domain::Token token;
    domain::TokenRecord record;
    domain::Deadline deadline;
    MintReply* reply;
  };
  class WholeBatch;
  class OwnHits;

  // Any thread.
  ViewPtr view() const;
  void divide(const domain::HitBatch& hits, TrackReply& reply, const ViewPtr& view);
  std::optional<ReadFailure> why_not_read(const domain::TokenId& id) const;

  // The control loop only.
  void on_store(const std::optional<store::StoreFacts>& facts);
  void enter_store(const std::optional<store::StoreFacts>& facts);
  void find_slots();
  void begin(const std::optional<domain::SlotSet>& found);
  void take_list(const CounterListPtr& list);
  void decide(std::function<std::optional<std::string>(Membership&)> decision, OnImport done);
  void when_durable(std::function<void(bool is_durable)> then);
  void end_waits(bool is_durable);
  void meet_peers();
  void go_on();
  bool is_store_changing() const;
  domain::SlotSet countable() const;
  bool is_drained() const;
  void write();
  void on_written(domain::Result<void> written);
  void publish();
  void tell();
  void mint_waiting();
  void refuse_mints();
  void set_view();
  void try_again_later();

  boost::asio::io_context& control_;
  store::CounterStore& store_;
  const std::string name_;
  const MakePeer make_peer_;

  // Any thread.
  mutable std::mutex mutex_;
  ViewPtr view_;                            // mutex_
  domain::SlotSet held_;                    // mutex_; durably
  std::optional<PartitionRecord> shown_;    // mutex_; the same as durable_
  std::vector<WaitingMint> waiting_mints_;  // mutex_; for their slots to be held durably
  bool mints_are_announced_ = false;        // mutex_; the control loop will look at them
  std::size_t stores_to_come_ = 0;          // mutex_; told by the store, and not seen by on_store() yet
  CounterFactsSource facts_;
  ReadinessSource fitness_;

  // The control loop only.
  CounterListPtr list_;                 // the last that was not refused
  std::optional<std::string> refusal_;  // of a later one
  bool refused_at_start_ = false;       // so what the operator means is not known, and nothing is counted
  std::optional<store::StoreFacts> of_store_;
  std::optional<Membership> membership_;    // once the store is known
  std::optional<PartitionRecord> durable_;  // the record that was written last
  std::optional<PartitionRecord> being_written_;
  bool is_writing_ = false;                              // perhaps into a store that has been replaced since
  std::vector<std::weak_ptr<const View>> former_views_;  // by which hits may still be counted
  std::shared_ptr<const int> stay_;  // in this store: answers that were asked for before are dropped
  boost::asio::steady_timer again_;
  struct Peer {
    runtime::Address address;
    std::unique_ptr<Counter> counter;
    std::unique_ptr<runtime::Subscription> subscription;
  };
  std::map<std::string, Peer> peers_;
  std::vector<std::function<void(bool is_durable)>> waits_;  // for a durable record
  std::vector<std::unique_ptr<Counter>> former_peers_;       // a link must not end before its loop
  std::vector<std::string> logged_;                          // what was logged last
  runtime::RareLog log_;

  std::optional<runtime::Subscription> store_to_this_;
  const store::JointReadiness joint_;
  const std::unique_ptr<ReadQueue> reads_;
  const TokenTerms terms_;
};

}  // namespace tracker::counter
