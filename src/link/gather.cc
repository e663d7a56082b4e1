#include "link/gather.h"

#include <algorithm>

namespace tracker::link {

void Gather::add(const domain::HitBatch& hits, domain::TrackReply& reply) {
  if (hits.empty()) return;
  if (batches_in_use_ == batches_.size()) batches_.emplace_back();
  auto& batch = batches_[batches_in_use_++];
  batch.hits = &hits;
  batch.reply = &reply;
  batch.first = static_cast<std::uint32_t>(size());
  batch.undelivered = hits.size();
  batch.deadline = hits.deadline();
  settled_.resize(size() + hits.size(), 0);
  bytes_ += hits.bytes();
  unsettled_ += hits.size();
  undelivered_ += hits.size();
}

domain::Deadline Gather::deadline() const noexcept {
  auto earliest = domain::Deadline::max();
  for (std::uint32_t i = 0; i < batches_in_use_; ++i) {
    if (batches_[i].undelivered > 0) earliest = std::min(earliest, batches_[i].deadline);
  }
  return earliest;
}

bool Gather::settle(std::span<const domain::HitVerdict> verdicts) {
  for (auto verdict = verdicts.begin(); verdict != verdicts.end(); ++verdict) {
    if (take_place(verdict->hit)) continue;
    unsettled_ += static_cast<std::size_t>(verdict - verdicts.begin());
    while (verdict != verdicts.begin()) settled_[(--verdict)->hit] = 0;
    return false;
  }
  std::uint32_t batch = 0;
  for (const auto& [number, verdict] : verdicts) {
    while (number < batches_[batch].first) --batch;
    while (batch + 1 < batches_in_use_ && number >= batches_[batch + 1].first) ++batch;
    batches_[batch].verdicts.push_back({number - batches_[batch].first, verdict});
  }
  return true;
}

void Gather::settle_rest(const domain::Verdict& verdict) {
  for (std::uint32_t batch = 0; batch < batches_in_use_ && unsettled_ > 0; ++batch) {
    const auto hits =
        (batch + 1 < batches_in_use_ ? batches_[batch + 1].first : size()) - batches_[batch].first;
    for (std::uint32_t hit = 0; hit < hits; ++hit) settle(batch, hit, verdict);
  }
}

bool Gather::deliver() {
  if (undelivered_ == unsettled_) return undelivered_ == 0;
  for (std::uint32_t i = 0; i < batches_in_use_; ++i) {
    auto& batch = batches_[i];
    if (batch.verdicts.empty()) continue;
    undelivered_ -= batch.verdicts.size();
    batch.undelivered -= batch.verdicts.size();
    batch.reply->on_verdicts(batch.verdicts);
    batch.verdicts.clear();
  }
  return undelivered_ == 0;
}

void Gather::clear() noexcept {
  for (std::uint32_t i = 0; i < batches_in_use_; ++i) batches_[i].verdicts.clear();
  batches_in_use_ = 0;
  settled_.clear();
  bytes_ = 0;
  unsettled_ = 0;
  undelivered_ = 0;
}

}  // namespace tracker::link
