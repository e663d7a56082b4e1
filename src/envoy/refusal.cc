#include "envoy/refusal.h"

#include <array>

namespace tracker::envoy {

namespace {

constexpr bool stays = false;
constexpr bool closes = true;

constexpr std::string_view allow = "Allow: GET\r\n";
constexpr std::string_view challenge = "WWW-Authenticate: Bearer\r\n";
constexpr std::string_view retry = "Retry-After: 1\r\n";

/// In the order of Refusal.
constexpr std::array<RefusalText, refusal_count> texts = {{
    {505, closes, "HTTP Version Not Supported", "", "This server speaks HTTP/1.1 and HTTP/1.0 only."},
    {400, closes, "Bad Request", "", "This is a TLS handshake, but this port speaks plain HTTP."},
    {400, closes, "Bad Request", "",
     "The request line must be a method, a target and HTTP/1.x, with one space between each."},
    {400, closes, "Bad Request", "",
     "The request head holds a control character, or a line that does not end in CRLF."},
    {414, closes, "URI Too Long", "", "The request line is longer than this server accepts."},
    {431, closes, "Request Header Fields Too Large", "",
     "The request head is larger than this server accepts."},
    {431, closes, "Request Header Fields Too Large", "",
     "The request has more header fields than this server accepts."},
    {400, closes, "Bad Request", "",
     "An HTTP/1.1 request needs exactly one Host field, of the form host or host:port."},
    {400, closes, "Bad Request", "",
     "A header field must be a name, a colon without a space before it, and a value on the same line."},
    {400, closes, "Bad Request", "", "Transfer-Encoding is not accepted: no request here has a body."},
    {400, closes, "Bad Request", "", "Content-Length must be one decimal number, and 0 for a GET."},
    {501, closes, "Not Implemented", "", "This method is not a registered HTTP method; use GET."},
    {405, stays, "Method Not Allowed", allow, "Only GET is counted; use GET."},
    {400, closes, "Bad Request", "", "The target has a percent sign without two hex digits after it."},
    {400, closes, "Bad Request", "", "The target holds a byte above 0x7E; percent-encode it."},
    {400, closes, "Bad Request", "", "The target has a fragment; leave out the # and what follows it."},
    {400, closes, "Bad Request", "",
     "The target must be a path that begins with a slash, or an http or https URI."},
    {414, closes, "URI Too Long", "", "The path in normal form is longer than 8 KiB."},
    {417, stays, "Expectation Failed", "", "The only expectation that this server knows is 100-continue."},
    {400, closes, "Bad Request", "", "The request has more than one Authorization field."},
    {401, stays, "Unauthorized", challenge,
     "The request carries no token; send one as Authorization: Bearer TOKEN. GET /auth hands one out, or "
     "says "
     "who does."},
    {401, stays, "Unauthorized", challenge,
     "The Authorization field must hold a token in its 36-character form, bare or after Bearer."},
    {401, stays, "Unauthorized", challenge, "This token is not known here."},
    {403, stays, "Forbidden", "", "The operator hands out the tokens here; ask there for one."},
    {429, stays, "Too Many Requests", "",
     "This address has asked for too many tokens; try again after the seconds of Retry-After."},
    {403, stays, "Forbidden", "",
     "This token has as many paths as it may; a path that it has counted before is counted on."},
    {503, stays, "Service Unavailable", retry, "Too many requests are in flight; this one was not counted."},
    {503, stays, "Service Unavailable", retry, "The counts cannot be reached; this request was not counted."},
    {503, stays, "Service Unavailable", retry,
     "The store cannot be reached, or has as many tokens as it may; no token was made."},
    {503, closes, "Service Unavailable", retry,
     "The service is shutting down; this request was not counted."},
    {504, stays, "Gateway Timeout", "",
     "The count did not come in time; this request was counted once or not at all."},
    {504, stays, "Gateway Timeout", "", "The token did not come in time; no token was handed out."},
    {408, closes, "Request Timeout", "", "The request head was not complete in time."},
    {503, closes, "Service Unavailable", retry, "Too many connections are open; this one is closed."},
    {503, closes, "Service Unavailable", retry,
     "Too many connections from this address are open; this one is closed."},
}};

/// In the order of Refusal.
constexpr std::array<std::string_view, refusal_count> names = {"http_version",
                                                               "tls",
                                                               "malformed",
                                                               "control_character",
                                                               "line_too_long",
                                                               "head_too_large",
                                                               "too_many_fields",
                                                               "host",
                                                               "field",
                                                               "transfer_encoding",
                                                               "content_length",
                                                               "method_unregistered",
                                                               "method_not_allowed",
                                                               "percent_encoding",
                                                               "target_byte",
                                                               "fragment",
                                                               "target_form",
                                                               "path_too_long",
                                                               "expectation",
                                                               "two_authorizations",
                                                               "no_token",
                                                               "malformed_token",
                                                               "unknown_token",
                                                               "auth_closed",
                                                               "minted_too_often",
                                                               "too_many_paths",
                                                               "too_many_hits",
                                                               "not_counted",
                                                               "not_minted",
                                                               "draining",
                                                               "perhaps_counted",
                                                               "perhaps_minted",
                                                               "head_too_slow",
                                                               "too_many_connections",
                                                               "too_many_of_this_address"};

}  // namespace

const RefusalText& text_of(Refusal refusal) noexcept {
  return texts[static_cast<std::size_t>(refusal)];
}

std::string_view name_of(Refusal refusal) noexcept {
  return names[static_cast<std::size_t>(refusal)];
}

}  // namespace tracker::envoy
