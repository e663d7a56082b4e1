#pragma once

#include "domain/failure.h"
#include "domain/hit_batch.h"
#include "domain/token_id.h"
#include "domain/track_reply.h"
#include "store/readiness.h"

namespace tracker::store {

using domain::TrackReply;

/// Receives the outcome of add_token().
class AddReply {
 public:
  /// Called once, on any thread, also before add_token() has returned. On success the token is stored as durably as
  /// a count.
  virtual void on_added(domain::Result<void> added) = 0;

 protected:
  ~AddReply() = default;
};

/// Where tokens and counts are kept: THE interface of every store. It never sees a token, only token ids.
/// All calls may come from any thread at the same time and return without waiting.
class CounterStore {
 public:
  CounterStore() = default;
  CounterStore(const CounterStore&) = delete;
  CounterStore& operator=(const CounterStore&) = delete;
  virtual ~CounterStore() = default;

  /// Counts each hit whose token is known, in their order, and answers its running count; durable as far as
  /// the store promises it before it is answered. A hit is applied at most once, and not after its deadline
  /// has passed before its turn came. `hits` and `reply` stay valid until the last verdict.
  virtual void track(const domain::HitBatch& hits, TrackReply& reply) = 0;

  /// Makes a token known, with no counts. Adding one that is known changes nothing.
  virtual void add_token(const domain::TokenId& id, domain::Deadline deadline, AddReply& reply) = 0;

  /// Whether hits can be counted. Any thread.
  virtual const ReadinessSource& readiness() const = 0;
};

}  // namespace tracker::store
