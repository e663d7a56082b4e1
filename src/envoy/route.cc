#include "envoy/route.h"

#include <algorithm>
#include <array>

#include "domain/hex.h"
#include "domain/path.h"

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

/// Whatever the form of a target, these may stand nowhere in it.
std::optional<Refusal> refusal_of_bytes(std::string_view target) {
  std::optional<Refusal> refusal;
  const auto refuse = [&](Refusal found) { refusal = std::min(refusal.value_or(found), found); };
  for (std::size_t i = 0; i < target.size(); ++i) {
    const auto c = static_cast<unsigned char>(target[i]);
    if (c > 0x7E) {
      refuse(Refusal::target_byte);
    } else if (c == '#') {
      refuse(Refusal::fragment);
    } else if (c == '%') {
      const bool valid =
          i + 2 < target.size() &&
          ((domain::hex_value(target[i + 1]) | domain::hex_value(target[i + 2])) & domain::not_hex) == 0;
      if (!valid) refuse(Refusal::percent_encoding);
    }
  }
  return refusal;
}

/// The path and query of a target in origin-form or of an http(s) URI (RFC 9112, section 3.2); empty if it is
/// neither.
std::string_view path_of(std::string_view target) {
  if (target.front() == '/') return target;
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!equal_in_any_case(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const auto authority = target.substr(0, target.find_first_of("/?"));
    if (!is_authority(authority)) return {};
    target.remove_prefix(authority.size());
    return target.starts_with('/') ? target : "/";
  }
  return {};
}

Route refuse(Refusal refusal) {
  return {.kind = Route::Kind::refuse, .refusal = refusal};
}

}  // namespace

std::optional<domain::Token> parse_authorization(std::string_view value) {
  constexpr std::string_view scheme = "Bearer";
  if (value.size() > domain::token_text_size && equal_in_any_case(value.substr(0, scheme.size()), scheme)) {
    value.remove_prefix(scheme.size());
    const auto spaces = std::min(value.find_first_not_of(' '), value.size());
    if (spaces == 0) return std::nullopt;
    value.remove_prefix(spaces);
  }
  return domain::parse_token(value);
}

Route route(const RequestHead& head, std::string& path) {
  if (head.method != "GET") {
    const bool registered =
        std::binary_search(registered_methods.begin(), registered_methods.end(), head.method);
    return refuse(registered ? Refusal::method_not_allowed : Refusal::method_unregistered);
  }
  if (const auto refusal = refusal_of_bytes(head.target)) return refuse(*refusal);
  const auto raw_path = path_of(head.target);
  if (raw_path.empty()) return refuse(Refusal::target_form);
  path.clear();
  domain::append_normal_path(raw_path, path);
  if (path.size() > domain::path_bytes_max) return refuse(Refusal::path_too_long);
  if (head.expects_the_unknown) return refuse(Refusal::expectation);
  if (head.authorization_fields > 1) return refuse(Refusal::two_authorizations);

  if (path == "/auth") return {.kind = Route::Kind::mint};
  if (head.authorization_fields == 0) return refuse(Refusal::no_token);
  const auto token = parse_authorization(head.authorization);
  if (!token) return refuse(Refusal::malformed_token);
  return {.kind = Route::Kind::track, .token = *token};
}

}  // namespace tracker::envoy
