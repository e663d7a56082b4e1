#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "envoy/refusal.h"

namespace tracker::envoy {

struct HeadLimits {
  std::size_t line_bytes_max = 8 * 1024;   // the request line without its CRLF
  std::size_t head_bytes_max = 16 * 1024;  // everything up to and with the empty line
  std::size_t fields_max = 100;
};

/// What a request's head says, as far as it matters here. The views point into the input.
struct RequestHead {
  std::size_t size = 0;  // bytes of the input that the head takes, with its empty line

  std::string_view method;
  std::string_view target;
  std::string_view authorization;  // the value of the first Authorization field
  int authorization_fields = 0;
  bool http_1_0 = false;
  bool keep_alive = false;           // RFC 9112, section 9.3: the connection persists after the answer
  bool has_body = false;             // a Content-Length above zero
  bool expects_the_unknown = false;  // an Expect other than 100-continue

  /// The head breaks HTTP's grammar or a limit, so the connection cannot go on; of the rest only `method` is
  /// valid then, and only as far as it could be read.
  std::optional<Refusal> refusal;
};

/// Whether more of an incomplete head may follow the input.
enum class HeadInput { to_be_continued, all_there_is };

/// Reads the head that `input` begins with, by RFC 9112 without any of its leniencies. Answers nothing if the
/// head is not complete yet and nothing in it can be refused so far. A refusal is judged by what has arrived:
/// of those that apply, the one that stands first in Refusal. Of an incomplete head that is all there is,
/// what can be read of it is answered, if its request line is complete. Pure; any thread.
std::optional<RequestHead> parse_request_head(std::string_view input, const HeadLimits& limits,
                                              HeadInput what = HeadInput::to_be_continued);

}  // namespace tracker::envoy
