#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <string>

#include "domain/token.h"
#include "envoy/refusal.h"

namespace tracker::envoy {

/// What an answer says of its connection (RFC 9112, section 9.3).
enum class Persistence : std::uint8_t {
  stays,      // HTTP/1.1's default, so nothing is said
  stays_1_0,  // an HTTP/1.0 client asked for keep-alive and must be told
  closes,
};

/// Formats whole HTTP answers. Belongs to one worker.
class AnswerWriter {
 public:
  explicit AnswerWriter(std::time_t now) { set_time(now); }

  /// The moment that the Date of the answers tells (RFC 9110, section 6.6.1), in seconds since 1970.
  void set_time(std::time_t now);

  void append_count(std::int64_t count, Persistence persistence, std::string& out) const;
  void append_token(const domain::Token& token, Persistence persistence, std::string& out) const;

  /// `with_body` is false for the answer to HEAD, whose fields are those of the answer that GET would get.
  void append_refusal(Refusal refusal, Persistence persistence, bool with_body, std::string& out) const;

 private:
  void append_success_head(std::size_t body_size, Persistence persistence, std::string& out) const;

  std::time_t time_ = -1;
  std::string date_field_;
  std::string success_head_;  // as far as it is the same for every answer of this second
};

}  // namespace tracker::envoy
