#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "envoy/refusal.h"

namespace tracker::envoy {

struct HeadLimits {
  std::size_t line_bytes_max = 8 * 1024;   // of the request line, without its CRLF
  std::size_t head_bytes_max = 16 * 1024;  // of everything up to the empty line, including it
  std::size_t fields_max = 100;
};

/// The parts of a request head that matter here. The views point into the input.
struct RequestHead {
  std::size_t size = 0;  // of the head in bytes, with its empty line

  std::string_view method;
  std::string_view target;
  std::string_view authorization;  // the value of the first Authorization field
  int authorization_fields = 0;
  bool http_1_0 = false;
  bool keep_alive = false;           // RFC 9112, section 9.3: the connection persists after the answer
  bool has_body = false;             // Content-Length is above zero
  bool expects_the_unknown = false;  // there is an Expect other than 100-continue

  /// Why the head breaks HTTP's grammar or a limit. The connection cannot go on then, and of the other fields only
  /// `method` is valid, as far as it could be read.
  std::optional<Refusal> refusal;
};

/// Whether more may follow an incomplete head.
enum class HeadInput { to_be_continued, all_there_is };

/// Reads the head at the beginning of `input`, by RFC 9112 without any of its leniencies. Returns nothing if the head
/// is not complete and nothing in it can be refused yet. Of all refusals that apply to what has arrived, the first in
/// Refusal wins. Of an incomplete head after which nothing comes, it returns what can be read, if the request line is
/// complete. Pure; any thread.
std::optional<RequestHead> parse_request_head(std::string_view input, const HeadLimits& limits,
                                              HeadInput what = HeadInput::to_be_continued);

}  // namespace tracker::envoy
