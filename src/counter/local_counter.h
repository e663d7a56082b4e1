#pragma once

#include "counter/counter.h"

namespace tracker::counter {

/// The counter over a store of this process.
class LocalCounter final : public Counter {
 public:
  /// `store` outlives the counter.
  explicit LocalCounter(store::CounterStore& store) : store_(store) {}

  void track(const domain::HitBatch& hits, TrackReply& reply) override { store_.track(hits, reply); }
  void mint(domain::Deadline deadline, MintReply& reply) override;
  const ReadinessSource& readiness() const override { return store_.readiness(); }

 private:
  store::CounterStore& store_;
};

}  // namespace tracker::counter
