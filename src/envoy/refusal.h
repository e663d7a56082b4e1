#pragma once

#include <cstdint>
#include <string_view>

namespace tracker::envoy {

/// Why a request is answered with an error. If several apply, the first in this order wins: first the rows of the table
/// in docs/http.md, then what is found on the way to the count.
enum class Refusal : std::uint8_t {
  http_version,
  tls,
  malformed,
  control_character,
  line_too_long,
  head_too_large,
  too_many_fields,
  host,
  field,
  transfer_encoding,
  content_length,
  method_unregistered,
  method_not_allowed,
  percent_encoding,
  target_byte,
  fragment,
  target_form,
  path_too_long,
  expectation,
  two_authorizations,
  no_token,
  malformed_token,
  unknown_token,
  auth_closed,
  minted_too_often,
  too_many_paths,
  too_many_hits,
  not_counted,
  not_minted,
  draining,
  perhaps_counted,
  perhaps_minted,
  head_too_slow,
  too_many_connections,
  too_many_of_this_address,
};

inline constexpr std::size_t refusal_count = static_cast<std::size_t>(Refusal::too_many_of_this_address) + 1;

/// How a refusal is answered.
struct RefusalText {
  std::uint16_t status;
  bool closes;              // the connection ends after this answer
  std::string_view reason;  // the reason phrase, and the title of the problem
  std::string_view
      fields;  // more header fields, each with its CRLF; without a Retry-After that is different each time
  std::string_view detail;  // the detail of the problem: what was wrong and what would be right
};

const RefusalText& text_of(Refusal refusal) noexcept;

/// As logs and metrics name it: `no_token`.
std::string_view name_of(Refusal refusal) noexcept;

}  // namespace tracker::envoy
