#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "domain/hit_batch.h"
#include "store/counter_store.h"

namespace tracker::bench {

inline constexpr std::string_view token_text = "c6f6fd4b-b347-4aa1-b22d-c2a786eb82fd";

enum class Workload {
  hot,     // one token, one path
  spread,  // 10,000 tokens x 100 paths, drawn at random for each hit
};

/// Makes the hits of a workload, the same ones in every run.
class Hits {
 public:
  /// Spread has 10,000 tokens by default.
  explicit Hits(Workload workload, std::size_t spread_tokens = 10'000);

  /// All tokens and paths from which it draws.
  const std::vector<domain::TokenId>& tokens() const noexcept { return tokens_; }
  const std::vector<std::string>& paths() const noexcept { return paths_; }

  /// Replaces the contents of the batch by this many hits.
  void fill(domain::HitBatch& batch, std::size_t hits) {
    batch.clear();
    for (std::size_t hit = 0; hit < hits; ++hit) {
      const std::uint64_t drawn = draw();
      batch.push(tokens_[((drawn >> 32U) * tokens_.size()) >> 32U],
                 paths_[((drawn & 0xFFFFFFFFU) * paths_.size()) >> 32U]);
    }
  }

 private:
  std::uint64_t draw() noexcept;

  std::vector<domain::TokenId> tokens_;
  std::vector<std::string> paths_;
  std::uint64_t state_ = 1;
};

/// Counts the outcomes of hits.
struct Counted final : store::TrackReply {
  void on_verdicts(std::span<const domain::HitVerdict> verdicts) override {
    for (const auto& [hit, verdict] : verdicts) {
      counted += verdict.kind == domain::Verdict::Kind::counted ? 1U : 0U;
      last = verdict.count;
    }
  }

  std::size_t counted = 0;  // hits
  std::int64_t last = 0;    // the last count
};

/// Reports the time per hit, with `hits` hits in each iteration.
void report_per_hit(benchmark::State& state, std::size_t hits);

}  // namespace tracker::bench
