#pragma once

#include <optional>
#include <span>
#include <string>

#include "domain/failure.h"
#include "domain/hit_batch.h"
#include "domain/token_id.h"
#include "domain/verdict.h"

namespace tracker::store {

/// Receives the verdicts on a batch of hits. Implemented by whoever hands batches on.
class TrackReply {
 public:
  /// Verdicts on some hits of the batch; over all calls, every hit gets exactly one. Called on any thread,
  /// also before track() has returned, but never twice at the same time for one batch. With the call that
  /// brings the last verdict the batch and this object are their owner's again.
  virtual void on_verdicts(std::span<const domain::HitVerdict> verdicts) = 0;

  /// Gives the hits from 0 up to `hits` the same verdict, by calls of on_verdicts().
  void on_one_verdict_for_all(std::size_t hits, const domain::Verdict& verdict);

 protected:
  ~TrackReply() = default;
};

/// Receives the outcome of add_token().
class AddReply {
 public:
  /// Called once, on any thread, also before add_token() has returned. No failure: the token is stored as
  /// durably as a count.
  virtual void on_added(std::optional<domain::Failure> failure) = 0;

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

  /// Nothing if hits can be counted now, otherwise the reason in plain words. Cheap.
  virtual std::optional<std::string> why_not_ready() const = 0;
};

}  // namespace tracker::store
