#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "counter/counter.h"
#include "counter/read_queue.h"
#include "counter/token_terms.h"

namespace tracker::counter {

/// Makes a new token known to the store, and then hands it out. Holds `held` until then.
void mint_token(store::CounterStore& store, const domain::Token& token, const domain::TokenRecord& record,
                domain::Deadline deadline, MintReply& reply, std::shared_ptr<const void> held = nullptr);

/// The counter over a store of this process. It owns every token. A store that has counted some of the tokens only, as
/// one of several counters, is not counted in.
class LocalCounter final : public Counter {
 public:
  /// `store` outlives the counter. `reads` reads it; null: it cannot be read. `terms` are for tokens of clients.
  explicit LocalCounter(store::CounterStore& store, std::unique_ptr<ReadQueue> reads = nullptr,
                        TokenTerms terms = {});

  void track(const domain::HitBatch& hits, TrackReply& reply) override;
  void mint(domain::Deadline deadline, MintReply& reply) override;
  void mint(const domain::TokenRecord& record, domain::Deadline deadline, MintReply& reply) override;
  void read(const domain::Token& token, const store::CountsQuery& query, domain::Deadline deadline,
            OnRead on_read) override;
  const CounterFactsSource& facts() const override { return facts_; }
  const ReadinessSource& readiness() const override { return joint_.readiness(); }

 private:
  void on_store(const std::optional<store::StoreFacts>& facts);

  store::CounterStore& store_;
  CounterFactsSource facts_{std::nullopt};
  std::atomic<bool> fits_ = true;  // the same as in fitness_
  ReadinessSource fitness_{domain::Readiness::ready()};
  const runtime::Subscription store_to_this_;
  const store::JointReadiness joint_;
  const std::unique_ptr<ReadQueue> reads_;
  const TokenTerms terms_;
};

}  // namespace tracker::counter
