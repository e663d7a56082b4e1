#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/track_reply.h"

namespace tracker::domain {

/// Some of the hits of a batch, as a batch of their own. Verdicts on them become verdicts on the hits of the whole batch.
/// Reusable. Not synchronised.
class SubBatch : public TrackReply {
 public:
  /// `whole` gets the verdicts. `followers`: see HitBatch.
  void begin(TrackReply& whole, Deadline deadline, std::size_t followers = 0) {
    whole_ = &whole;
    hits_.clear();
    hits_.set_deadline(deadline);
    hits_.set_followers(followers);
    numbers_.clear();
    unsettled_ = 0;
  }

  /// Adds a copy of the hit with this number in `batch`. `number` is what the whole batch calls it.
  void push(const HitBatch& batch, std::uint32_t hit, std::uint32_t number) {
    hits_.push(batch.id(hit), batch.path(hit));
    numbers_.push_back(number);
    ++unsettled_;
  }

  const HitBatch& hits() const noexcept { return hits_; }
  std::uint32_t number(std::uint32_t hit) const noexcept { return numbers_[hit]; }
  TrackReply& whole() const noexcept { return *whole_; }
  bool is_settled() const noexcept { return unsettled_ == 0; }

 protected:
  ~SubBatch() = default;

  /// Passes these verdicts on. This object must not be reused before the call returns.
  void pass_on(std::span<const HitVerdict> verdicts) {
    passed_on_.assign(verdicts.begin(), verdicts.end());
    for (auto& verdict : passed_on_) verdict.hit = numbers_[verdict.hit];
    leave(verdicts.size());
    whole_->on_verdicts(passed_on_);
  }

  /// These hits get their verdicts from somebody else.
  void leave(std::size_t hits) noexcept { unsettled_ -= hits; }

 private:
  TrackReply* whole_ = nullptr;
  HitBatch hits_;
  std::vector<std::uint32_t> numbers_;
  std::vector<HitVerdict> passed_on_;  // reused
  std::size_t unsettled_ = 0;
};

}  // namespace tracker::domain
