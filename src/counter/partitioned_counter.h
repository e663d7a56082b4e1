#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "counter/counter.h"
#include "counter/counter_list.h"
#include "domain/sub_batch.h"

namespace tracker::counter {

/// The counters of a list as one. A hit goes to the counter that owns its token's slot, and a batch is divided by owner.
/// So a counter that hangs holds up its own hits only. Tokens are minted by the counters that can count, in turn.
///
/// The counters of a list either partition the tokens, or all of them own every token and share one store. Then they
/// stand in for each other: the hits of a counter that cannot count go to the next in the order of the slot. A mixture,
/// and counters that own every token but do not share a store, would count a token in two places: every hit is refused.
///
/// Belongs to the thread in which the counters reply: calls, verdicts, and changes of readiness and facts come there.
/// Invariants:
/// 1. A hit is handed to one counter. It is handed to a second one only if the first has certainly not counted it and
///    cannot count any more, only while both count in one run of one store, and never to a third.
/// 2. A hit is in at most one sub-batch that is under way. A sub-batch is reused after its last verdict was passed on.
/// 3. That a token is unknown is believed of a counter that has this list, or if every counter of the list is known to
///    count in the same store. A counter with another list does not know whom else to ask, so the hit is refused.
class PartitionedCounter final : public Counter {
 public:
  /// Logs what is wrong with the counters or their lists, once for each change of the words.
  using LogTrouble = std::function<void(const std::string& words)>;

  /// `counters` are those of the list that do not leave, in its order. They must outlive this.
  PartitionedCounter(CounterListPtr list, const std::vector<Counter*>& counters, LogTrouble log_trouble);
  ~PartitionedCounter() override;

  void track(const domain::HitBatch& hits, TrackReply& reply) override;
  void mint(domain::Deadline deadline, MintReply& reply) override;
  /// Asks the counter that would count the token's hits.
  void read(const domain::Token& token, const store::CountsQuery& query, domain::Deadline deadline,
            OnRead on_read) override;

  /// Follows the counters no longer. What is under way is still answered.
  void retire() noexcept override { subscriptions_.clear(); }

  /// Whether nothing is under way. Only of one that was retired.
  bool is_idle() const noexcept { return free_.size() == parts_.size() && mintings_ == 0 && reads_ == 0; }

  /// Ready as long as one counter can count. Remarks name the others.
  const ReadinessSource& readiness() const override { return readiness_; }

 private:
  class Part;
  class Minting;
  struct Member {
    CounterList::Entry entry;
    Counter* counter = nullptr;
    bool is_ready = false;
    domain::Readiness readiness = domain::Readiness::not_ready("it is not known yet");
    std::optional<CounterFacts> facts = std::nullopt;  // as they were last known
    std::string difference = {};                       // between its list and this one, in words; empty: none

    bool owns_every_token() const noexcept { return facts && facts->owns_every_token; }
  };
  static constexpr std::size_t nobody = SIZE_MAX;

  // Members are known by their places in `members_`.
  void on_readiness(std::size_t member, const domain::Readiness& readiness);
  void on_facts(std::size_t member, const std::optional<CounterFacts>& facts);
  void judge();
  std::optional<std::string> misfit() const;
  std::string words_of_difference(const Member& member) const;
  void tell();

  bool passes_through(std::size_t member) const;
  bool believes_unknown(std::size_t member) const;
  bool share_a_run(std::size_t one, std::size_t other) const;
  std::size_t route(domain::Slot slot) const;
  std::size_t stand_in(domain::Slot slot, std::size_t for_member) const;
  std::size_t next_to_mint();

  bool find_routes(const domain::HitBatch& hits);
  void divide(const domain::HitBatch& hits, TrackReply& reply);
  Part& new_part(std::size_t member, const domain::HitBatch& hits, TrackReply& whole);
  void send(Part& part);
  void take_back(Part& part);

  const CounterListPtr list_;
  std::vector<Member> members_;
  std::vector<std::size_t> member_of_;  // by the number of an owner in the list's table

  const LogTrouble log_trouble_;
  std::optional<std::string> misfit_;  // why every hit is refused
  bool any_owns_every_token_ = false;
  bool all_share_a_run_ = false;

  std::vector<std::size_t> routes_;           // of the hits of the batch that was taken last
  std::vector<std::unique_ptr<Part>> parts_;  // all there are
  std::vector<Part*> free_;
  std::vector<Part*> filling_;  // by member; null between uses
  std::vector<Part*> filled_;   // empty between uses
  std::size_t last_to_mint_ = 0;
  std::size_t mintings_ = 0;  // under way
  std::size_t reads_ = 0;     // under way

  ReadinessSource readiness_;
  std::vector<runtime::Subscription> subscriptions_;
};

}  // namespace tracker::counter
