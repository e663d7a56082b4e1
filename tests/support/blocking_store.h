#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/token.h"
#include "store/counter_store.h"
#include "store/token_rules.h"

namespace tracker::tests {

/// Waits for the verdicts of one batch.
class Verdicts final : public store::TrackReply {
 public:
  explicit Verdicts(std::size_t hits) : verdicts_(hits), left_(hits) {}

  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    const std::lock_guard lock(mutex_);
    for (const auto& [hit, verdict] : verdicts) {
      EXPECT_FALSE(verdicts_.at(hit).has_value()) << "a second verdict on hit " << hit;
      verdicts_.at(hit) = verdict;
    }
    left_ -= verdicts.size();
    if (left_ == 0) all_.notify_all();
  }

  std::vector<domain::Verdict> wait() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(all_.wait_for(lock, std::chrono::seconds(60), [this] { return left_ == 0; }));
    std::vector<domain::Verdict> all;
    for (const auto& verdict : verdicts_) all.push_back(verdict.value_or(domain::Verdict::perhaps_counted()));
    return all;
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_;
  std::vector<std::optional<domain::Verdict>> verdicts_;
  std::size_t left_;
};

class Added final : public store::AddReply {
 public:
  void on_added(domain::Result<void> added) override {
    const std::lock_guard lock(mutex_);
    added_ = added;
    changed_.notify_all();
  }

  bool wait() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [this] { return added_.has_value(); }));
    return added_ && *added_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<domain::Result<void>> added_;
};

/// Waits for the outcome of write_record().
class Written final : public store::WriteReply {
 public:
  void on_written(domain::Result<void> written) override { outcome_.set_value(written.has_value()); }

  bool wait() {
    auto outcome = outcome_.get_future();
    if (outcome.wait_for(std::chrono::seconds(60)) == std::future_status::ready) return outcome.get();
    ADD_FAILURE() << "no reply";
    return false;
  }

 private:
  std::promise<bool> outcome_;
};

/// Waits for the outcome of find_slots().
class FoundSlots final : public store::SlotsReply {
 public:
  void on_slots(domain::Result<domain::SlotSet> slots) override {
    outcome_.set_value(slots ? std::optional(*slots) : std::nullopt);
  }

  /// Nothing if they could not be found.
  std::optional<domain::SlotSet> wait() {
    auto outcome = outcome_.get_future();
    if (outcome.wait_for(std::chrono::seconds(60)) == std::future_status::ready) return outcome.get();
    ADD_FAILURE() << "no reply";
    return std::nullopt;
  }

 private:
  std::promise<std::optional<domain::SlotSet>> outcome_;
};

inline bool write_record(store::CounterStore& store, const std::string& record) {
  Written written;
  store.write_record(record, domain::Deadline::max(), written);
  return written.wait();
}

inline std::optional<domain::SlotSet> find_slots(store::CounterStore& store) {
  FoundSlots found;
  store.find_slots(found);
  return found.wait();
}

inline domain::TokenId new_token(store::CounterStore& store) {
  const auto id = domain::token_id(domain::random_token());
  Added added;
  store.add_token(id, {.minted_s = store::system_seconds()}, domain::Deadline::max(), added);
  EXPECT_TRUE(added.wait());
  return id;
}

inline std::vector<domain::Verdict> track(store::CounterStore& store, const domain::HitBatch& hits) {
  Verdicts verdicts(hits.size());
  store.track(hits, verdicts);
  return verdicts.wait();
}

inline domain::Verdict track_one(store::CounterStore& store, const domain::TokenId& id,
                                 std::string_view path) {
  domain::HitBatch hits;
  hits.push(id, path);
  return track(store, hits).front();
}

}  // namespace tracker::tests
