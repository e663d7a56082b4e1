// The messages of a batch on the stream between envoy and counter, to and from the bytes that gRPC carries.
#include "rpc/batch_message.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <tracker/v1/counting.pb.h>

#include "workload.h"

namespace tracker::bench {

namespace {

using domain::HitVerdict;

template <typename Message>
bool to_bytes(const Message& message, grpc::ByteBuffer& bytes) {
  bytes.Clear();
  bool own = false;
  return grpc::SerializationTraits<Message>::Serialize(message, &bytes, &own).ok();
}

/// gRPC takes the bytes away as it reads them, so these are a copy, which shares them.
template <typename Message>
bool from_bytes(grpc::ByteBuffer bytes, Message& message) {
  return grpc::SerializationTraits<Message>::Deserialize(&bytes, &message).ok();
}

bool hits_to_bytes(const domain::HitBatch& hits, v1::TrackRequest& request, grpc::ByteBuffer& bytes) {
  request.Clear();
  rpc::append_hits(hits, *request.mutable_batch());
  request.mutable_batch()->set_number(1'000'000);
  request.mutable_batch()->set_deadline_ms(2'000);
  return to_bytes(request, bytes);
}

bool bytes_to_hits(const grpc::ByteBuffer& bytes, v1::TrackRequest& request, domain::HitBatch& hits) {
  hits.clear();
  return from_bytes(bytes, request) && rpc::read_hits(request.batch(), hits);
}

bool same_hits(const domain::HitBatch& a, const domain::HitBatch& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i) same = a.id(i) == b.id(i) && a.path(i) == b.path(i);
  return same;
}

/// True if what the bytes hold are these hits.
bool holds(const grpc::ByteBuffer& bytes, const domain::HitBatch& hits) {
  v1::TrackRequest request;
  domain::HitBatch held;
  return bytes_to_hits(bytes, request, held) && same_hits(held, hits);
}

void send_hits(benchmark::State& state, Workload workload) {
  const auto size = static_cast<std::size_t>(state.range(0));
  domain::HitBatch hits;
  Hits(workload).fill(hits, size);
  v1::TrackRequest request;
  grpc::ByteBuffer bytes;
  bool good = true;
  for (auto _ : state) {
    good = hits_to_bytes(hits, request, bytes) && good;
    benchmark::DoNotOptimize(bytes);
  }
  if (!good || !holds(bytes, hits)) state.SkipWithError("not the hits");
  report_per_hit(state, size);
}
BENCHMARK_CAPTURE(send_hits, hot, Workload::hot)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(send_hits, spread, Workload::spread)->Arg(1)->Arg(64);

void receive_hits(benchmark::State& state, Workload workload) {
  const auto size = static_cast<std::size_t>(state.range(0));
  domain::HitBatch hits;
  Hits(workload).fill(hits, size);
  v1::TrackRequest request;
  grpc::ByteBuffer bytes;
  bool good = hits_to_bytes(hits, request, bytes);
  domain::HitBatch received;
  for (auto _ : state) {
    good = bytes_to_hits(bytes, request, received) && good;
    benchmark::DoNotOptimize(received);
  }
  if (!good || !same_hits(received, hits)) state.SkipWithError("not the hits");
  report_per_hit(state, size);
}
BENCHMARK_CAPTURE(receive_hits, hot, Workload::hot)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(receive_hits, spread, Workload::spread)->Arg(1)->Arg(64);

/// Counted, each of them, with counts of several digits.
std::vector<HitVerdict> some_verdicts(std::size_t size) {
  std::vector<HitVerdict> verdicts;
  for (std::uint32_t hit = 0; hit < size; ++hit)
    verdicts.push_back({hit, domain::Verdict::counted(123'456 + hit)});
  return verdicts;
}

bool verdicts_to_bytes(const std::vector<HitVerdict>& verdicts, grpc::ByteBuffer& bytes) {
  v1::TrackResponse response;  // a fresh one each time, as the stream makes them
  rpc::write_verdicts(verdicts, verdicts.size(), *response.mutable_verdicts());
  response.mutable_verdicts()->set_number(1'000'000);
  return to_bytes(response, bytes);
}

bool same_verdicts(const std::vector<HitVerdict>& a, const std::vector<HitVerdict>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const HitVerdict& x, const HitVerdict& y) {
    return x.hit == y.hit && x.verdict == y.verdict;
  });
}

void send_verdicts(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const auto verdicts = some_verdicts(size);
  grpc::ByteBuffer bytes;
  bool good = true;
  for (auto _ : state) {
    good = verdicts_to_bytes(verdicts, bytes) && good;
    benchmark::DoNotOptimize(bytes);
  }
  v1::TrackResponse response;
  std::vector<HitVerdict> held;
  const bool right = good && from_bytes(bytes, response) &&
                     rpc::read_verdicts(response.verdicts(), size, held) && same_verdicts(held, verdicts);
  if (!right) state.SkipWithError("not the verdicts");
  report_per_hit(state, size);
}
BENCHMARK(send_verdicts)->Arg(1)->Arg(64);

void receive_verdicts(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const auto verdicts = some_verdicts(size);
  grpc::ByteBuffer bytes;
  bool good = verdicts_to_bytes(verdicts, bytes);
  v1::TrackResponse response;
  std::vector<HitVerdict> received;
  for (auto _ : state) {
    good = from_bytes(bytes, response) && rpc::read_verdicts(response.verdicts(), size, received) && good;
    benchmark::DoNotOptimize(received.data());
  }
  if (!good || !same_verdicts(received, verdicts)) state.SkipWithError("not the verdicts");
  report_per_hit(state, size);
}
BENCHMARK(receive_verdicts)->Arg(1)->Arg(64);

}  // namespace

}  // namespace tracker::bench
