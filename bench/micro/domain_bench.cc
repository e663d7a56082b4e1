// The cost of a request's token and path.
#include <string>
#include <string_view>

#include "domain/path.h"
#include "domain/slot.h"
#include "domain/token.h"
#include "domain/token_id.h"
#include "workload.h"

namespace tracker::bench {

namespace {

/// The id of the token: the first 16 bytes of a SHA-256.
constexpr std::string_view token_id_text = "4ea5f010e8fe312f5a7fe438cfb4664a";
constexpr domain::Slot token_slot = 1202;

void normal_path(benchmark::State& state, std::string_view raw, std::string_view expected) {
  std::string path;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(raw);
    path.clear();
    domain::append_normal_path(raw, path);
    benchmark::DoNotOptimize(path.data());
  }
  if (path != expected) state.SkipWithError("not the normal form");
}
BENCHMARK_CAPTURE(normal_path, root, "/", "/");
BENCHMARK_CAPTURE(normal_path, plain, "/api/v1/items/000042", "/api/v1/items/000042");
BENCHMARK_CAPTURE(normal_path, query, "/api/v1/items/000042?page=7&sort=up", "/api/v1/items/000042");
BENCHMARK_CAPTURE(normal_path, encoded, "/api/v1/items%2f%30000%34%32", "/api/v1/items%2F000042");
BENCHMARK_CAPTURE(normal_path, dots, "/api/./v0/../v1//items/000042", "/api/v1/items/000042");

void parse_token(benchmark::State& state) {
  std::string_view text = token_text;
  std::optional<domain::Token> token;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(text);
    token = domain::parse_token(text);
    benchmark::DoNotOptimize(token);
  }
  if (!token || domain::to_string(*token) != token_text) state.SkipWithError("not the token");
}
BENCHMARK(parse_token);

void token_id(benchmark::State& state) {
  auto token = *domain::parse_token(token_text);
  domain::TokenId id{};
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(token);
    id = domain::token_id(token);
    benchmark::DoNotOptimize(id);
  }
  if (domain::to_string(id) != token_id_text) state.SkipWithError("not the token's id");
}
BENCHMARK(token_id);

void token_id_to_hex(benchmark::State& state) {
  auto id = domain::token_id(*domain::parse_token(token_text));
  std::string text;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(id);
    text = domain::to_string(id);
    benchmark::DoNotOptimize(text.data());
  }
  if (text != token_id_text) state.SkipWithError("not the token's id");
}
BENCHMARK(token_id_to_hex);

void slot_of(benchmark::State& state) {
  auto id = domain::token_id(*domain::parse_token(token_text));
  domain::Slot slot = 0;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(id);
    slot = domain::slot_of(id);
    benchmark::DoNotOptimize(slot);
  }
  if (slot != token_slot) state.SkipWithError("not the id's slot");
}
BENCHMARK(slot_of);

void random_token(benchmark::State& state) {
  domain::Token last{};
  for ([[maybe_unused]] auto _ : state) {
    const auto token = domain::random_token();
    if (token == last) return state.SkipWithError("the same token twice");
    last = token;
  }
}
BENCHMARK(random_token);

void fill_batch(benchmark::State& state, Workload workload) {
  Hits hits(workload);
  domain::HitBatch batch;
  const auto size = static_cast<std::size_t>(state.range(0));
  for ([[maybe_unused]] auto _ : state) {
    hits.fill(batch, size);
    benchmark::DoNotOptimize(batch.path(size - 1).data());
  }
  if (batch.size() != size) state.SkipWithError("not as many hits");
  report_per_hit(state, size);
}
BENCHMARK_CAPTURE(fill_batch, hot, Workload::hot)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(fill_batch, spread, Workload::spread)->Arg(1)->Arg(64);

}  // namespace

}  // namespace tracker::bench
