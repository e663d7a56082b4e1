#include "workload.h"

#include "domain/token_id.h"

namespace tracker::bench {

Hits::Hits(Workload workload, std::size_t spread_tokens) {
  const bool hot = workload == Workload::hot;
  tokens_.resize(hot ? 1 : spread_tokens);
  for (auto& token : tokens_) {
    domain::Token drawn{};
    for (auto& byte : drawn.bytes) byte = static_cast<std::uint8_t>(draw() >> 56U);
    token = domain::token_id(drawn);
  }
  paths_.resize(hot ? 1 : 100);
  for (std::size_t i = 0; i < paths_.size(); ++i) paths_[i] = "/api/v1/items/" + std::to_string(100'000 + i);
}

/// SplitMix64.
std::uint64_t Hits::draw() noexcept {
  state_ += 0x9E3779B97F4A7C15U;
  std::uint64_t drawn = state_;
  drawn = (drawn ^ (drawn >> 30U)) * 0xBF58476D1CE4E5B9U;
  drawn = (drawn ^ (drawn >> 27U)) * 0x94D049BB133111EBU;
  return drawn ^ (drawn >> 31U);
}

void report_per_hit(benchmark::State& state, std::size_t hits) {
  state.counters["per_hit"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(hits),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

}  // namespace tracker::bench
