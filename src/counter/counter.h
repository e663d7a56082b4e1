#pragma once

#include "domain/failure.h"
#include "domain/token.h"
#include "store/counter_store.h"

namespace tracker::counter {

using store::ReadinessSource;
using store::TrackReply;

/// Receives the outcome of mint().
class MintReply {
 public:
  /// Called once, on any thread, also before mint() has returned.
  virtual void on_minted(domain::Result<domain::Token> minted) = 0;

 protected:
  ~MintReply() = default;
};

/// A counter service as its callers see it, in this process or in another. All calls may come from any thread
/// at the same time and return without waiting.
class Counter {
 public:
  Counter() = default;
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  virtual ~Counter() = default;

  /// As CounterStore::track().
  virtual void track(const domain::HitBatch& hits, TrackReply& reply) = 0;

  /// Hands out a fresh token that is known to every counter of the service. `reply` stays valid until it is
  /// answered.
  virtual void mint(domain::Deadline deadline, MintReply& reply) = 0;

  /// Whether hits can be counted. Any thread.
  virtual const ReadinessSource& readiness() const = 0;
};

}  // namespace tracker::counter
