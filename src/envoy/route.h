#pragma once

#include <string>
#include <string_view>

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

/// The method if IANA has registered it, and otherwise nothing. The view is valid for ever. Pure; any thread.
std::string_view registered_method(std::string_view method);

}  // namespace tracker::envoy
