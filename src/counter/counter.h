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
  /// Called once, on any thread, perhaps before mint() has returned.
  virtual void on_minted(domain::Result<domain::Token> minted) = 0;

 protected:
  ~MintReply() = default;
};

/// A counter service as its callers see it, in this process or in another. Any thread may call any function at any
/// time. Calls return without waiting.
class Counter {
 public:
  Counter() = default;
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  virtual ~Counter() = default;

  /// As CounterStore::track().
  virtual void track(const domain::HitBatch& hits, TrackReply& reply) = 0;

  /// Makes a fresh token, known to every counter of the service. `reply` must stay valid until it is called.
  virtual void mint(domain::Deadline deadline, MintReply& reply) = 0;

  /// Whether hits can be counted. Any thread.
  virtual const ReadinessSource& readiness() const = 0;
};

}  // namespace tracker::counter
