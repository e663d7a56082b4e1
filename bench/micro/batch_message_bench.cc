// Writes and reads the messages of a batch on the stream between envoy and counter.
#include "rpc/batch_message.h"

#include <string>
#include <vector>

#include "workload.h"

namespace tracker::bench {

namespace {

using domain::HitVerdict;

std::string bytes_of(const domain::HitBatch& hits) {
  const domain::HitBatch* batch = &hits;
  std::string bytes;
  rpc::append_batch({.number = 1'000'000, .deadline_ms = 2'000}, {&batch, 1}, bytes);
  return bytes;
}

bool read_hits(const std::string& bytes, domain::HitBatch& hits) {
  hits.clear();
  rpc::BatchHead head;
  const auto request = rpc::read_track_request(bytes);
  return request && request->batch && rpc::read_batch(*request->batch, head, hits);
}

bool same_hits(const domain::HitBatch& a, const domain::HitBatch& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i) same = a.id(i) == b.id(i) && a.path(i) == b.path(i);
  return same;
}

void send_hits(benchmark::State& state, Workload workload) {
  const auto size = static_cast<std::size_t>(state.range(0));
  domain::HitBatch hits;
  Hits(workload).fill(hits, size);
  const domain::HitBatch* batch = &hits;
  std::string bytes;
  for ([[maybe_unused]] auto _ : state) {
    bytes.clear();
    rpc::append_batch({.number = 1'000'000, .deadline_ms = 2'000}, {&batch, 1}, bytes);
    benchmark::DoNotOptimize(bytes.data());
  }
  domain::HitBatch held;
  if (!read_hits(bytes, held) || !same_hits(held, hits)) state.SkipWithError("not the hits");
  report_per_hit(state, size);
}
BENCHMARK_CAPTURE(send_hits, hot, Workload::hot)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(send_hits, spread, Workload::spread)->Arg(1)->Arg(64);

void receive_hits(benchmark::State& state, Workload workload) {
  const auto size = static_cast<std::size_t>(state.range(0));
  domain::HitBatch hits;
  Hits(workload).fill(hits, size);
  const std::string bytes = bytes_of(hits);
  domain::HitBatch received;
  bool good = true;
  for ([[maybe_unused]] auto _ : state) {
    good = read_hits(bytes, received) && good;
    benchmark::DoNotOptimize(received);
  }
  if (!good || !same_hits(received, hits)) state.SkipWithError("not the hits");
  report_per_hit(state, size);
}
BENCHMARK_CAPTURE(receive_hits, hot, Workload::hot)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(receive_hits, spread, Workload::spread)->Arg(1)->Arg(64);

/// Every hit is counted, and the counts have several digits.
std::vector<HitVerdict> some_verdicts(std::size_t size) {
  std::vector<HitVerdict> verdicts;
  for (std::uint32_t hit = 0; hit < size; ++hit)
    verdicts.push_back({hit, domain::Verdict::counted(123'456 + hit)});
  return verdicts;
}

bool read_verdicts(const std::string& bytes, std::size_t size, std::vector<HitVerdict>& verdicts) {
  std::uint64_t number = 0;
  const auto response = rpc::read_track_response(bytes);
  return response && response->verdicts && rpc::read_verdicts(*response->verdicts, size, number, verdicts);
}

bool same_verdicts(const std::vector<HitVerdict>& a, const std::vector<HitVerdict>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const HitVerdict& x, const HitVerdict& y) {
    return x.hit == y.hit && x.verdict == y.verdict;
  });
}

void send_verdicts(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const auto verdicts = some_verdicts(size);
  std::string bytes;
  for ([[maybe_unused]] auto _ : state) {
    bytes.clear();
    rpc::append_verdicts(1'000'000, verdicts, size, bytes);
    benchmark::DoNotOptimize(bytes.data());
  }
  std::vector<HitVerdict> held;
  if (!read_verdicts(bytes, size, held) || !same_verdicts(held, verdicts))
    state.SkipWithError("not the verdicts");
  report_per_hit(state, size);
}
BENCHMARK(send_verdicts)->Arg(1)->Arg(64);

void receive_verdicts(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const auto verdicts = some_verdicts(size);
  std::string bytes;
  rpc::append_verdicts(1'000'000, verdicts, size, bytes);
  std::vector<HitVerdict> received;
  bool good = true;
  for ([[maybe_unused]] auto _ : state) {
    good = read_verdicts(bytes, size, received) && good;
    benchmark::DoNotOptimize(received.data());
  }
  if (!good || !same_verdicts(received, verdicts)) state.SkipWithError("not the verdicts");
  report_per_hit(state, size);
}
BENCHMARK(receive_verdicts)->Arg(1)->Arg(64);

}  // namespace

}  // namespace tracker::bench
