#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "counter/counter.h"
#include "domain/token.h"
#include "rpc/grpc_protocol.h"

namespace tracker::rpc {

// Converts the messages of proto/tracker/v1/own_counts.proto. Pure.

struct OwnCountsRequest {
  domain::Token token{};
  store::CountsQuery query;
};
/// Returns nothing if the message is malformed.
std::optional<OwnCountsRequest> read_own_counts_request(std::string_view message);
void append_request(const OwnCountsRequest& request, std::string& out);

/// The same.
std::optional<store::TokenCounts> read_own_counts(std::string_view message);
void append_own_counts(const store::TokenCounts& counts, std::string& out);

/// How a call tells a failure.
Status status_of(const counter::ReadFailure& failure);
counter::ReadFailure failure_of(const Status& status);

}  // namespace tracker::rpc
