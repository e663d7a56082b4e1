// What it costs a counted hit to look for the busiest tokens and paths.
#include "counter/busiest.h"

#include <vector>

#include "workload.h"

namespace tracker::bench {

namespace {

using counter::Busiest;

/// In batches of spread, most tokens are none of those that are being counted.
void busiest(benchmark::State& state, Workload workload) {
  constexpr std::size_t batches_made = 1'000;
  const auto size = static_cast<std::size_t>(state.range(0));
  Hits hits(workload);
  std::vector<domain::HitBatch> batches(batches_made);
  for (auto& batch : batches) hits.fill(batch, size);
  std::vector<domain::HitVerdict> verdicts;
  for (std::uint32_t hit = 0; hit < size; ++hit) verdicts.push_back({hit, domain::Verdict::counted(1)});
  Busiest busiest(1, {});
  std::size_t next = 0;
  for ([[maybe_unused]] auto _ : state) {
    busiest.add(batches[next], verdicts);
    next = (next + 1) % batches_made;
  }
  const auto seen = busiest.read(Busiest::By::token, {}).since_start.keys.hits;
  if (seen != static_cast<std::size_t>(state.iterations()) * size) state.SkipWithError("not every hit");
  report_per_hit(state, size);
}
BENCHMARK_CAPTURE(busiest, hot, Workload::hot)->Arg(1)->Arg(16)->Arg(64);
BENCHMARK_CAPTURE(busiest, spread, Workload::spread)->Arg(1)->Arg(16)->Arg(64);

}  // namespace

}  // namespace tracker::bench
