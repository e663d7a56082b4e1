#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/track_reply.h"

namespace tracker::link {

/// One message made of the hits of many batches. The hits are numbered through: those of the first batch come first.
/// Verdicts are collected by settle(), in any order, and go back to their batches by deliver(). Used again after clear(),
/// and then allocates nothing per hit. Not synchronised. Invariants:
/// 1. A hit is settled at most once: a second verdict on it is dropped.
/// 2. A batch is not touched after the call that delivers its last verdict: its owner may have used it again.
class Gather {
 public:
  /// Adds the hits of a batch. Both stay valid until the last verdict on them is delivered.
  void add(const domain::HitBatch& hits, domain::TrackReply& reply);

  /// The batches that have hits, by their indices, in the order in which they were added.
  std::uint32_t batches() const noexcept { return batches_in_use_; }
  const domain::HitBatch& batch(std::uint32_t index) const noexcept { return *batches_[index].hits; }

  /// Of all batches.
  std::size_t size() const noexcept { return settled_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }
  /// The earliest deadline of the hits whose verdict is not delivered yet; the latest time there is if there are none.
  domain::Deadline deadline() const noexcept;

  /// Settles one hit, by its index in its batch.
  void settle(std::uint32_t batch, std::uint32_t hit, const domain::Verdict& verdict) {
    auto& its = batches_[batch];
    if (take_place(its.first + hit)) its.verdicts.push_back({hit, verdict});
  }

  /// Settles hits by their numbers, all or none. Answers false, and settles none, if one of them is settled already or
  /// stands there twice.
  bool settle(std::span<const domain::HitVerdict> verdicts);

  /// Settles all hits that are not settled yet.
  void settle_rest(const domain::Verdict& verdict);

  bool is_settled() const noexcept { return unsettled_ == 0; }

  /// Hands the verdicts that are new to their batches. Answers true once all hits have theirs. The replies must not
  /// call back into this object.
  bool deliver();

  void clear() noexcept;

 private:
  struct Batch {
    const domain::HitBatch* hits = nullptr;
    domain::TrackReply* reply = nullptr;
    std::uint32_t first = 0;                   // its hits are numbered from here on
    std::size_t undelivered = 0;               // hits
    domain::Deadline deadline{};               // of the hits
    std::vector<domain::HitVerdict> verdicts;  // not delivered yet
  };

  /// Answers false if the hit with this number is settled.
  bool take_place(std::uint32_t number) {
    if (settled_[number] != 0) return false;
    settled_[number] = 1;
    --unsettled_;
    return true;
  }

  std::vector<Batch> batches_;
  std::uint32_t batches_in_use_ = 0;   // the others keep their memory
  std::vector<std::uint8_t> settled_;  // by number: 1 or 0
  std::size_t bytes_ = 0;
  std::size_t unsettled_ = 0;
  std::size_t undelivered_ = 0;  // unsettled, or settled but not delivered yet
};

}  // namespace tracker::link
