// The cost of a hit in the memory store, and the memory that a counter takes.
#include <malloc.h>

#include "store/memory/memory_store.h"
#include "store/token_rules.h"
#include "workload.h"

namespace tracker::bench {

namespace {

using store::memory::MemoryStore;

class Added final : public store::AddReply {
 public:
  void on_added(domain::Result<void> result) override { added = result.has_value(); }
  bool added = false;
};

bool add_tokens(MemoryStore& store, const Hits& hits) {
  Added reply;
  for (const auto& id : hits.tokens()) {
    reply.added = false;
    store.add_token(id, {.minted_s = store::system_seconds()}, domain::Deadline::max(), reply);
    if (!reply.added) return false;
  }
  return true;
}

/// Sends one hit for each token and path. Returns how many were counted.
std::size_t count_each_once(MemoryStore& store, const Hits& hits) {
  Counted reply;
  domain::HitBatch batch;
  for (const auto& path : hits.paths()) {
    batch.clear();
    for (const auto& id : hits.tokens()) batch.push(id, path);
    store.track(batch, reply);
  }
  return reply.counted;
}

/// A store that already has all counters of the workload.
struct FilledStore {
  explicit FilledStore(Workload workload) : hits(workload) {
    full =
        add_tokens(store, hits) && count_each_once(store, hits) == hits.tokens().size() * hits.paths().size();
  }
  Hits hits;
  MemoryStore store;
  bool full = false;
};

/// The bytes that malloc has handed out. 0 under the sanitizers, which have their own malloc.
std::size_t allocated_bytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// Made once, because Google Benchmark runs a benchmark several times to find how long it takes.
FilledStore& filled_store(Workload workload) {
  static FilledStore hot(Workload::hot);
  static FilledStore spread(Workload::spread);
  return workload == Workload::hot ? hot : spread;
}

void memory_store(benchmark::State& state, Workload workload) {
  auto& [hits, store, full] = filled_store(workload);
  const auto size = static_cast<std::size_t>(state.range(0));
  domain::HitBatch batch;
  Counted reply;
  for (auto _ : state) {
    hits.fill(batch, size);
    store.track(batch, reply);
  }
  const auto expected = static_cast<std::size_t>(state.iterations()) * size;
  if (!full || reply.counted != expected || reply.last < 2) state.SkipWithError("not every hit was counted");
  report_per_hit(state, size);
}
BENCHMARK_CAPTURE(memory_store, hot, Workload::hot)->Arg(1)->Arg(16)->Arg(64);
BENCHMARK_CAPTURE(memory_store, spread, Workload::spread)->Arg(1)->Arg(16)->Arg(64);

/// New counters, 100 for each token. Each shard's table doubles at about 0.86 million counters in all. So a counter
/// takes the least memory just before that, and the most just after.
void memory_store_growth(benchmark::State& state) {
  constexpr double bytes_max = 100;
  const Hits hits(Workload::spread, static_cast<std::size_t>(state.range(0)));
  const std::size_t counters = hits.tokens().size() * hits.paths().size();
  double bytes = 0;
  for (auto _ : state) {
    const auto before = allocated_bytes();
    MemoryStore store;
    if (!add_tokens(store, hits) || count_each_once(store, hits) != counters) {
      return state.SkipWithError("not every hit was counted");
    }
    bytes = static_cast<double>(allocated_bytes() - before) / static_cast<double>(counters);
  }
  if (bytes > bytes_max) state.SkipWithError("too many bytes for a counter");
  state.counters["bytes"] = bytes;
  report_per_hit(state, counters);
}
BENCHMARK(memory_store_growth)
    ->Arg(8'000)
    ->Arg(9'500)
    ->Arg(10'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace tracker::bench
