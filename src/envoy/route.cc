#include "envoy/route.h"

#include <algorithm>
#include <array>

#include "domain/authorization.h"
#include "domain/target.h"

namespace tracker::envoy {

namespace {

/// The methods of IANA's "HTTP Method Registry", sorted.
constexpr auto registered_methods = std::to_array<std::string_view>({
    "*",
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "OPTIONS",
    "ORDERPATCH",
    "PATCH",
    "POST",
    "PRI",
    "PROPFIND",
    "PROPPATCH",
    "PUT",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "TRACE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
});
static_assert(std::is_sorted(registered_methods.begin(), registered_methods.end()));

Refusal refusal_of(domain::Target bad) {
  using domain::Target;
  switch (bad) {
    case Target::bad_percent_encoding:
      return Refusal::percent_encoding;
    case Target::bad_byte:
      return Refusal::target_byte;
    case Target::fragment:
      return Refusal::fragment;
    case Target::path_too_long:
      return Refusal::path_too_long;
    default:
      return Refusal::target_form;
  }
}

Route refuse(Refusal refusal) {
  return {.kind = Route::Kind::refuse, .refusal = refusal};
}

}  // namespace

Route route(const RequestHead& head, std::string& path) {
  if (head.method != "GET") {
    const bool registered = !registered_method(head.method).empty();
    return refuse(registered ? Refusal::method_not_allowed : Refusal::method_unregistered);
  }
  const auto target = domain::read_target(head.target, path);
  if (target != domain::Target::path) return refuse(refusal_of(target));
  if (head.expects_the_unknown) return refuse(Refusal::expectation);
  if (head.authorization_fields > 1) return refuse(Refusal::two_authorizations);

  if (path == "/auth") return {.kind = Route::Kind::mint};
  if (head.authorization_fields == 0) return refuse(Refusal::no_token);
  const auto token = domain::parse_authorization(head.authorization);
  if (!token) return refuse(Refusal::malformed_token);
  return {.kind = Route::Kind::track, .token = *token};
}

std::string_view registered_method(std::string_view method) {
  const auto* const found = std::lower_bound(registered_methods.begin(), registered_methods.end(), method);
  return found != registered_methods.end() && *found == method ? *found : std::string_view();
}

}  // namespace tracker::envoy
