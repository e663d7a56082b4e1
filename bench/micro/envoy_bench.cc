// From a client's bytes to a hit, and from a count to the bytes of the answer.
#include <string>

#include "domain/token_id.h"
#include "envoy/access_log.h"
#include "envoy/answer.h"
#include "envoy/exchange.h"
#include "envoy/request_head.h"
#include "envoy/route.h"
#include "request_heads.h"
#include "workload.h"

namespace tracker::bench {

namespace {

using envoy::Persistence;
using envoy::Route;

void request_head(benchmark::State& state, std::string_view bytes) {
  const envoy::HeadLimits limits;
  std::optional<envoy::RequestHead> head;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(bytes);
    head = envoy::parse_request_head(bytes, limits);
    benchmark::DoNotOptimize(head);
  }
  const bool right = head && !head->refusal && head->size == bytes.size() &&
                     head->target == target_of_heads && head->authorization.ends_with(token_text);
  if (!right) state.SkipWithError("not what the head says");
}
BENCHMARK_CAPTURE(request_head, small, small_head);
BENCHMARK_CAPTURE(request_head, curl, curl_head);
BENCHMARK_CAPTURE(request_head, browser, browser_head);

void route(benchmark::State& state, std::string_view bytes) {
  auto head = envoy::parse_request_head(bytes, envoy::HeadLimits{}).value();
  std::string path;
  Route what{};
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(head);
    what = envoy::route(head, path);
    benchmark::DoNotOptimize(what);
  }
  const bool right = what.kind == Route::Kind::track && path == target_of_heads &&
                     domain::to_string(what.token) == token_text;
  if (!right) state.SkipWithError("not the hit");
}
BENCHMARK_CAPTURE(route, bare, small_head);
BENCHMARK_CAPTURE(route, bearer, curl_head);

/// Everything that is computed for a request, except its count.
void request(benchmark::State& state, std::string_view bytes) {
  const envoy::HeadLimits limits;
  const envoy::AnswerWriter answers(1'700'000'000);
  std::string path;
  std::string out;
  domain::HitBatch batch;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(bytes);
    batch.clear();
    out.clear();
    const auto head = envoy::parse_request_head(bytes, limits);
    if (!head) return state.SkipWithError("no whole head");
    const auto what = envoy::route(*head, path);
    batch.push(domain::token_id(what.token), path);
    answers.append_count(static_cast<std::int64_t>(batch.size()), Persistence::stays, out);
    benchmark::DoNotOptimize(out.data());
  }
  const bool right = batch.size() == 1 && batch.path(0) == target_of_heads && out.ends_with("{\"count\":1}");
  if (!right) state.SkipWithError("not the hit and its answer");
}
BENCHMARK_CAPTURE(request, small, small_head);
BENCHMARK_CAPTURE(request, curl, curl_head);
BENCHMARK_CAPTURE(request, browser, browser_head);

/// A line of the access log, with its share of handing over a turn of 64 lines.
void access_line(benchmark::State& state, runtime::LogFormat format) {
  runtime::LineFile file("/dev/null", "the access log", 64 * 1024 * 1024);
  envoy::AccessLog log({.path = "/dev/null", .sample = 1, .file = &file, .format = format});
  const auto id = domain::token_id(domain::parse_token(token_text).value());
  std::size_t lines = 0;
  for ([[maybe_unused]] auto _ : state) {
    envoy::Exchange exchange{
        .answer = envoy::Exchange::Answer::count, .count = 1'000'000, .access = log.begin()};
    exchange.access->method = "GET";
    exchange.access->path = target_of_heads;
    exchange.access->token = id;
    log.log(exchange, "127.0.0.1:50000", 150);
    if (++lines % 64 == 0) log.hand_over();
  }
  if (!file.flush(std::chrono::seconds(10))) state.SkipWithError("not written");
}
BENCHMARK_CAPTURE(access_line, text, runtime::LogFormat::text);
BENCHMARK_CAPTURE(access_line, json, runtime::LogFormat::json);

void answer_count(benchmark::State& state) {
  const envoy::AnswerWriter answers(1'700'000'000);
  auto count = state.range(0);
  std::string out;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(count);
    out.clear();
    answers.append_count(count, Persistence::stays, out);
    benchmark::DoNotOptimize(out.data());
  }
  if (!out.ends_with("\r\n\r\n{\"count\":" + std::to_string(count) + "}"))
    state.SkipWithError("not the answer");
}
BENCHMARK(answer_count)->Arg(7)->Arg(1'234'567);

void answer_token(benchmark::State& state) {
  const envoy::AnswerWriter answers(1'700'000'000);
  const auto token = *domain::parse_token(token_text);
  std::string out;
  for ([[maybe_unused]] auto _ : state) {
    out.clear();
    answers.append_token(token, Persistence::stays, out);
    benchmark::DoNotOptimize(out.data());
  }
  if (!out.ends_with("{\"token\":\"" + std::string(token_text) + "\"}"))
    state.SkipWithError("not the answer");
}
BENCHMARK(answer_token);

void answer_refusal(benchmark::State& state) {
  const envoy::AnswerWriter answers(1'700'000'000);
  std::string out;
  for ([[maybe_unused]] auto _ : state) {
    out.clear();
    answers.append_refusal(envoy::Refusal::no_token, Persistence::stays, true, out);
    benchmark::DoNotOptimize(out.data());
  }
  if (!out.starts_with("HTTP/1.1 401 ")) state.SkipWithError("not the answer");
}
BENCHMARK(answer_refusal);

}  // namespace

}  // namespace tracker::bench
