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
  /// Called once, on any thread, perhaps before add_token() has returned. On success the token is stored as durably as
  /// a count.
  virtual void on_added(domain::Result<void> added) = 0;

 protected:
  ~AddReply() = default;
};

/// The interface of every store of tokens and counts. A store never sees a token, only token ids. Any thread may make
/// any call at any time. The calls return without waiting.
class CounterStore {
 public:
  CounterStore() = default;
  CounterStore(const CounterStore&) = delete;
  CounterStore& operator=(const CounterStore&) = delete;
  virtual ~CounterStore() = default;

  /// Counts each hit whose token is known, in order, and answers its running count. Before the answer, the count is as
  /// durable as the store promises. A hit is applied at most once. A hit whose deadline has passed before its turn is
  /// not applied. `hits` and `reply` must stay valid until the last verdict.
  virtual void track(const domain::HitBatch& hits, TrackReply& reply) = 0;

  /// Makes a token known, with no counts. To add a known token changes nothing.
  virtual void add_token(const domain::TokenId& id, domain::Deadline deadline, AddReply& reply) = 0;

  /// Whether hits can be counted. Any thread.
  virtual const ReadinessSource& readiness() const = 0;
};

}  // namespace tracker::store
