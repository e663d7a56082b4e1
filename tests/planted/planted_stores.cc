#include "planted/planted_stores.h"

#include <vector>

namespace tracker::planted {

namespace {

constexpr unsigned batches_between_repetitions = 20;

}  // namespace

/// A copy of a batch on its way through the store. Deletes itself with the last verdict.
class AnswersBeforeTheCommit::Forwarded final : public store::TrackReply {
 public:
  Forwarded(AnswersBeforeTheCommit& store, const domain::HitBatch& batch, store::TrackReply& reply)
      : hits(batch), numbers(batch.size()), store_(store), reply_(reply), left_(batch.size()) {}

  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    std::vector<domain::HitVerdict> late;
    {
      const std::lock_guard lock(store_.mutex_);
      for (const auto& verdict : verdicts) {
        if (numbers[verdict.hit] == 0) continue;
        late.push_back(verdict);
        if (verdict.verdict.kind != domain::Verdict::Kind::counted) continue;
        auto& passed = store_.passed_[{hits.id(verdict.hit), std::string(hits.path(verdict.hit))}];
        passed.offset = verdict.verdict.count - numbers[verdict.hit];
      }
    }
    left_ -= verdicts.size();
    const std::unique_ptr<Forwarded> ended(left_ == 0 ? this : nullptr);
    if (!late.empty()) reply_.on_verdicts(late);
  }

  const domain::HitBatch hits;
  std::vector<std::int64_t> numbers;  // of each hit among those of its counter; 0: already answered

 private:
  AnswersBeforeTheCommit& store_;
  store::TrackReply& reply_;
  std::size_t left_;
};

void AnswersBeforeTheCommit::track(const domain::HitBatch& hits, store::TrackReply& reply) {
  const std::lock_guard lock(mutex_);
  auto* const forwarded = new Forwarded(*this, hits, reply);
  std::vector<domain::HitVerdict> early;
  for (std::uint32_t hit = 0; hit < hits.size(); ++hit) {
    auto& passed = passed_[{hits.id(hit), std::string(hits.path(hit))}];
    ++passed.hits;
    if (passed.offset) {
      early.push_back({hit, domain::Verdict::counted(*passed.offset + passed.hits)});
    } else {
      forwarded->numbers[hit] = passed.hits;
    }
  }
  if (!early.empty()) reply.on_verdicts(early);
  store_->track(forwarded->hits, *forwarded);
}

namespace {

/// Receives the verdicts on the second counting of a batch, which nobody hears of.
class Repetition final : public store::TrackReply {
 public:
  explicit Repetition(const domain::HitBatch& batch) : hits(batch), left_(batch.size()) {}

  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    left_ -= verdicts.size();
    if (left_ == 0) delete this;
  }

  const domain::HitBatch hits;

 private:
  std::size_t left_;
};

}  // namespace

void RepeatsABatch::track(const domain::HitBatch& hits, store::TrackReply& reply) {
  auto* const again = ++batches_ % batches_between_repetitions == 0 ? new Repetition(hits) : nullptr;
  store_->track(hits, reply);
  if (again != nullptr) store_->track(again->hits, *again);
}

}  // namespace tracker::planted
