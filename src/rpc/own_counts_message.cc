#include "rpc/own_counts_message.h"

#include <tracker/v1/own_counts.pb.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace tracker::rpc {

namespace {

using Kind = counter::ReadFailure::Kind;

constexpr std::uint32_t counts_max = 10'000;  // of one answer

bool parse(std::string_view bytes, google::protobuf::MessageLite& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

std::optional<OwnCountsRequest> read_own_counts_request(std::string_view message) {
  v1::ReadOwnCountsRequest request;
  OwnCountsRequest its;
  if (!parse(message, request) || request.token().size() != its.token.bytes.size() || request.limit() == 0)
    return std::nullopt;
  std::copy(request.token().begin(), request.token().end(), its.token.bytes.begin());
  its.query = {
      .prefix = request.prefix(), .after = request.after(), .limit = std::min(request.limit(), counts_max)};
  return its;
}

void append_request(const OwnCountsRequest& request, std::string& out) {
  v1::ReadOwnCountsRequest message;
  message.set_token(request.token.bytes.data(), request.token.bytes.size());
  message.set_prefix(request.query.prefix);
  message.set_after(request.query.after);
  message.set_limit(static_cast<std::uint32_t>(request.query.limit));
  message.AppendToString(&out);
}

std::optional<store::TokenCounts> read_own_counts(std::string_view message) {
  v1::ReadOwnCountsResponse response;
  if (!parse(message, response)) return std::nullopt;
  store::TokenCounts counts{.record = {.minted_s = response.minted_s()}, .is_more = response.is_more()};
  for (auto& its : *response.mutable_counts())
    counts.counts.push_back({std::move(*its.mutable_path()), its.count()});
  if (counts.is_more && counts.counts.empty()) return std::nullopt;  // nobody could go on
  return counts;
}

void append_own_counts(const store::TokenCounts& counts, std::string& out) {
  v1::ReadOwnCountsResponse response;
  response.set_minted_s(counts.record.minted_s);
  for (const auto& its : counts.counts) {
    auto& added = *response.add_counts();
    added.set_path(its.path);
    added.set_count(its.count);
  }
  response.set_is_more(counts.is_more);
  response.AppendToString(&out);
}

Status status_of(const counter::ReadFailure& failure) {
  switch (failure.kind) {
    case Kind::unknown_token:
      return {StatusCode::not_found, "the token is unknown"};
    case Kind::busy:
      return {StatusCode::resource_exhausted, failure.why};
    case Kind::unavailable:
      break;
    case Kind::unsupported:
      return {StatusCode::unimplemented, failure.why};
  }
  return {StatusCode::unavailable, failure.why};
}

counter::ReadFailure failure_of(const Status& status) {
  switch (status.code) {
    case StatusCode::not_found:
      return {Kind::unknown_token};
    case StatusCode::resource_exhausted:
      return {Kind::busy, status.message};
    case StatusCode::unimplemented:
      return {Kind::unsupported,
              "the counter does not read counts" + (status.message.empty() ? "" : ": " + status.message)};
    default:
      return {Kind::unavailable, status.message};
  }
}

}  // namespace tracker::rpc
