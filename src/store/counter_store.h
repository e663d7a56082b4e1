#pragma once

#include <string>

#include "domain/failure.h"
#include "domain/hit_batch.h"
#include "domain/slot.h"
#include "domain/token_id.h"
#include "domain/token_record.h"
#include "domain/track_reply.h"
#include "metrics/page.h"
#include "store/readiness.h"
#include "store/store_facts.h"

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

/// Receives the outcome of write_record().
class WriteReply {
 public:
  /// Called once, on any thread, perhaps before write_record() has returned. On success the record is as durable as a
  /// count.
  virtual void on_written(domain::Result<void> written) = 0;

 protected:
  ~WriteReply() = default;
};

/// Receives the outcome of find_slots().
class SlotsReply {
 public:
  /// Called once, on any thread, perhaps before find_slots() has returned.
  virtual void on_slots(domain::Result<domain::SlotSet> slots) = 0;

 protected:
  ~SlotsReply() = default;
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
  virtual void add_token(const domain::TokenId& id, const domain::TokenRecord& record,
                         domain::Deadline deadline, AddReply& reply) = 0;

  /// Which store this is, and its record. They are known before the store is ready, and are told before a hit can be
  /// counted in another store than before, such as another Redis at the same address. Hits that were waiting for the
  /// store so far are then refused.
  virtual const StoreFactsSource& facts() const = 0;

  /// Replaces the store's record: up to 64 KiB that the counter keeps in the store beside the counts. The facts are not
  /// told anew after it. From then on a store that several processes can reach counts and mints for this process alone,
  /// and the others are not ready. Not done if another process has written a record since the facts were told. One call at
  /// a time. `reply` must stay valid until it is called, here and below.
  virtual void write_record(std::string record, domain::Deadline deadline, WriteReply& reply) = 0;

  /// Finds the slots that have a token. A token that is added meanwhile may be missed. It takes time in proportion to
  /// the number of tokens, and holds up no hits.
  virtual void find_slots(SlotsReply& reply) = 0;

  /// Whether hits can be counted. Any thread.
  virtual const ReadinessSource& readiness() const = 0;

  /// Adds what the store measures of itself. May wait for a disk, but holds up no hits. Any thread but the workers'.
  virtual void report(metrics::Page& /*page*/) const {}
};

}  // namespace tracker::store
