#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "store/counter_store.h"

namespace tracker::planted {

/// Wrong on purpose: answers a hit with its future count before the store behind has committed it. Correct otherwise,
/// if the store counts hits in the order in which it gets them.
class AnswersBeforeTheCommit final : public store::CounterStore {
 public:
  explicit AnswersBeforeTheCommit(std::unique_ptr<CounterStore> store) : store_(std::move(store)) {}

  void track(const domain::HitBatch& hits, store::TrackReply& reply) override;
  void add_token(const domain::TokenId& id, const domain::TokenRecord& record, domain::Deadline deadline,
                 store::AddReply& reply) override {
    store_->add_token(id, record, deadline, reply);
  }
  const store::StoreFactsSource& facts() const override { return store_->facts(); }
  void write_record(std::string record, domain::Deadline deadline, store::WriteReply& reply) override {
    store_->write_record(std::move(record), deadline, reply);
  }
  void find_slots(store::SlotsReply& reply) override { store_->find_slots(reply); }
  const store::ReadinessSource& readiness() const override { return store_->readiness(); }

 private:
  class Forwarded;

  /// For one counter: how many hits were passed on, and the difference between their counts and their numbers, once an
  /// answer shows it.
  struct Passed {
    std::int64_t hits = 0;
    std::optional<std::int64_t> offset;
  };

  std::recursive_mutex mutex_;  // protects the members below, and keeps the order of the hits
  std::map<std::pair<domain::TokenId, std::string>, Passed> passed_;
  std::unique_ptr<CounterStore> store_;  // last: it ends first, with its answers
};

/// Wrong on purpose: now and then passes a batch on twice, like a client that retries what it has no answer to.
class RepeatsABatch final : public store::CounterStore {
 public:
  explicit RepeatsABatch(std::unique_ptr<CounterStore> store) : store_(std::move(store)) {}

  void track(const domain::HitBatch& hits, store::TrackReply& reply) override;
  void add_token(const domain::TokenId& id, const domain::TokenRecord& record, domain::Deadline deadline,
                 store::AddReply& reply) override {
    store_->add_token(id, record, deadline, reply);
  }
  const store::StoreFactsSource& facts() const override { return store_->facts(); }
  void write_record(std::string record, domain::Deadline deadline, store::WriteReply& reply) override {
    store_->write_record(std::move(record), deadline, reply);
  }
  void find_slots(store::SlotsReply& reply) override { store_->find_slots(reply); }
  const store::ReadinessSource& readiness() const override { return store_->readiness(); }

 private:
  std::atomic<unsigned> batches_ = 0;
  std::unique_ptr<CounterStore> store_;
};

}  // namespace tracker::planted
