// What a hit costs in the memory store.
#include "store/memory/memory_store.h"
#include "workload.h"

namespace tracker::bench {

namespace {

using store::MemoryStore;

class Added final : public store::AddReply {
 public:
  void on_added(std::optional<domain::Failure> failure) override { added = !failure; }
  bool added = false;
};

bool add_tokens(MemoryStore& store, const Hits& hits) {
  Added reply;
  for (const auto& id : hits.tokens()) {
    reply.added = false;
    store.add_token(id, domain::Deadline::max(), reply);
    if (!reply.added) return false;
  }
  return true;
}

/// One hit for each of the tokens at each of the paths. Answers how many were counted.
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

/// A store that has all the counters of the workload already.
struct FilledStore {
  explicit FilledStore(Workload workload) : hits(workload) {
    full =
        add_tokens(store, hits) && count_each_once(store, hits) == hits.tokens().size() * hits.paths().size();
  }
  Hits hits;
  MemoryStore store;
  bool full = false;
};

/// Made once: Google Benchmark runs a benchmark several times to find how long it takes.
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

}  // namespace

}  // namespace tracker::bench
