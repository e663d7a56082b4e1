#include "rpc/server_metrics.h"

#include <utility>

namespace tracker::rpc {

namespace {

/// As gRPC's statuscodes.md spells those that are sent here.
constexpr std::pair<StatusCode, const char*> names[] = {
    {StatusCode::ok, "OK"},
    {StatusCode::unknown, "UNKNOWN"},
    {StatusCode::invalid_argument, "INVALID_ARGUMENT"},
    {StatusCode::deadline_exceeded, "DEADLINE_EXCEEDED"},
    {StatusCode::not_found, "NOT_FOUND"},
    {StatusCode::resource_exhausted, "RESOURCE_EXHAUSTED"},
    {StatusCode::unimplemented, "UNIMPLEMENTED"},
    {StatusCode::internal, "INTERNAL"},
    {StatusCode::unavailable, "UNAVAILABLE"},
};

/// In the order of domain::Verdict::Kind.
constexpr const char* verdicts[] = {"counted", "unknown_token", "not_counted", "perhaps_counted",
                                    "too_many_paths"};

void report_hits(metrics::Page& page, const char* client, const ServerMetrics::Hits& hits) {
  for (std::size_t kind = 0; kind < hits.size(); ++kind) {
    page.counter("tracker_grpc_hits_total", "Hits that came by gRPC, by their verdicts.",
                 {{"client", client}, {"verdict", verdicts[kind]}}, static_cast<double>(hits[kind].value()));
  }
}

}  // namespace

void ServerMetrics::report_port(metrics::Page& page) const {
  page.counter("tracker_grpc_connections_accepted_total", "Connections that were accepted.", {},
               static_cast<double>(accepted.value()));
  page.counter("tracker_grpc_connections_dropped_total",
               "Connections that were closed because the client stalled, or others needed their place.", {},
               static_cast<double>(dropped.value()));
  for (const auto& [code, name] : names) {
    page.counter("tracker_grpc_calls_total", "Finished calls of gRPC clients other than envoys, by status.",
                 {{"code", name}}, static_cast<double>(calls[static_cast<std::size_t>(code)].value()));
  }
}

void ServerMetrics::report_counting(metrics::Page& page) const {
  report_hits(page, "envoy", envoy_hits);
  report_hits(page, "public", public_hits);
  page.counter("tracker_tokens_minted_total", "Tokens that were handed out.", {{"door", "grpc"}},
               static_cast<double>(tokens.value()));
  batches.report(page, "grpc", metrics::Batches::Behind::store);
}

}  // namespace tracker::rpc
