#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/track_reply.h"

namespace tracker::link {

/// One message made of the hits of many batches. The hits have consecutive numbers, in the order in which the batches
/// were added. settle() collects verdicts in any order, and deliver() hands them to their batches. After clear() the
/// object can be used again without an allocation per hit. Not synchronised. Invariants:
/// 1. A hit is settled at most once: a second verdict on it is dropped.
/// 2. A batch is not touched after the call that delivers its last verdict, because its owner may have reused it.
class Gather {
 public:
  /// Adds the hits of a batch. `hits` and `reply` must stay valid until the last verdict on the batch is delivered.
  void add(const domain::HitBatch& hits, domain::TrackReply& reply);

  /// The batches that have hits, by index, in the order in which they were added.
  std::uint32_t batches() const noexcept { return batches_in_use_; }
  const domain::HitBatch& batch(std::uint32_t index) const noexcept { return *batches_[index].hits; }

  /// The totals of all batches.
  std::size_t size() const noexcept { return settled_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }
  /// Returns the earliest deadline of the hits whose verdicts are not delivered yet, or the latest possible time if
  /// there are none.
  domain::Deadline deadline() const noexcept;

  /// Settles one hit. `hit` is its index in its batch.
  void settle(std::uint32_t batch, std::uint32_t hit, const domain::Verdict& verdict) {
    auto& its = batches_[batch];
    if (take_place(its.first + hit)) its.verdicts.push_back({hit, verdict});
  }

  /// Settles all these hits, or none: returns false and settles none if a number is settled already or occurs twice.
  bool settle(std::span<const domain::HitVerdict> verdicts);

  /// Settles all hits that are not settled yet.
  void settle_rest(const domain::Verdict& verdict);

  bool is_settled() const noexcept { return unsettled_ == 0; }

  /// Hands new verdicts to their batches. Returns true once all hits have their verdicts. The replies must not call
  /// back into this object.
  bool deliver();

  void clear() noexcept;

 private:
  struct Batch {
    const domain::HitBatch* hits = nullptr;
    domain::TrackReply* reply = nullptr;
    std::uint32_t first = 0;                   // the number of its first hit
    std::size_t undelivered = 0;               // hits
    domain::Deadline deadline{};               // the earliest of its hits
    std::vector<domain::HitVerdict> verdicts;  // not delivered yet
  };

  /// Returns false if the hit with this number is settled.
  bool take_place(std::uint32_t number) {
    if (settled_[number] != 0) return false;
    settled_[number] = 1;
    --unsettled_;
    return true;
  }

  std::vector<Batch> batches_;
  std::uint32_t batches_in_use_ = 0;   // the rest keep their memory
  std::vector<std::uint8_t> settled_;  // by number: 1 or 0
  std::size_t bytes_ = 0;
  std::size_t unsettled_ = 0;
  std::size_t undelivered_ = 0;  // unsettled, or settled but not delivered yet
};

}  // namespace tracker::link
