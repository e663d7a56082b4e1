#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <string>

#include "domain/token.h"
#include "envoy/refusal.h"

namespace tracker::envoy {

/// What an answer says about its connection (RFC 9112, section 9.3).
enum class Persistence : std::uint8_t {
  stays,      // the default of HTTP/1.1: no field is needed
  stays_1_0,  // an HTTP/1.0 client asked for keep-alive and must be told
  closes,
};

/// Formats whole HTTP answers. Belongs to one worker.
class AnswerWriter {
 public:
  explicit AnswerWriter(std::time_t now) { set_time(now); }

  /// Sets the Date of the answers (RFC 9110, section 6.6.1), in seconds since 1970.
  void set_time(std::time_t now);

  void append_count(std::int64_t count, Persistence persistence, std::string& out) const;
  void append_token(const domain::Token& token, Persistence persistence, std::string& out) const;

  /// `with_body` is false for an answer to HEAD. Its fields are those of the answer to GET. A `retry_after_s` above 0 is
  /// added as Retry-After (RFC 9110, section 10.2.3).
  void append_refusal(Refusal refusal, Persistence persistence, bool with_body, std::string& out,
                      std::uint32_t retry_after_s = 0) const;

 private:
  void append_success_head(std::size_t body_size, Persistence persistence, std::string& out) const;

  std::time_t time_ = -1;
  std::string date_field_;
  std::string success_head_;  // the part that all answers of this second share
};

}  // namespace tracker::envoy
