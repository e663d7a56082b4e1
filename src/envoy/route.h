#pragma once

#include <optional>
#include <string>

#include "domain/token.h"
#include "envoy/refusal.h"
#include "envoy/request_head.h"

namespace tracker::envoy {

/// What is to be done with a request.
struct Route {
  enum class Kind { mint, track, refuse };

  Kind kind;
  Refusal refusal{};      // of refuse
  domain::Token token{};  // of track
};

/// Decides on a request whose head was read without a refusal. `path` is overwritten, and for track it is the
/// path to count, in normal form. Pure; any thread.
Route route(const RequestHead& head, std::string& path);

/// The token in the value of an Authorization field: bare, or after the scheme Bearer in any case
/// (RFC 6750, section 2.1). Pure; any thread.
std::optional<domain::Token> parse_authorization(std::string_view value);

}  // namespace tracker::envoy
