#include "envoy/answer.h"

#include <array>
#include <charconv>
#include <string_view>

#include "runtime/utc_time.h"

namespace tracker::envoy {

namespace {

constexpr std::string_view no_store = "Cache-Control: no-store\r\n";

std::string_view connection_field(Persistence persistence) {
  switch (persistence) {
    case Persistence::stays:
      return "";
    case Persistence::stays_1_0:
      return "Connection: keep-alive\r\n";
    case Persistence::closes:
      return "Connection: close\r\n";
  }
  return "";
}

/// A number's decimal digits, on the stack.
class Digits {
 public:
  explicit Digits(std::int64_t number) {
    end_ = std::to_chars(text_.data(), text_.data() + text_.size(), number).ptr;
  }
  operator std::string_view() const { return {text_.data(), static_cast<std::size_t>(end_ - text_.data())}; }

 private:
  std::array<char, 20> text_;
  char* end_;
};

}  // namespace

void AnswerWriter::set_time(std::time_t now) {
  if (now == time_) return;
  time_ = now;
  date_field_ = "Date: " + runtime::http_date(now) + "\r\n";
  success_head_ = "HTTP/1.1 200 OK\r\n" + date_field_ + "Content-Type: application/json\r\n";
  success_head_ += no_store;
  success_head_ += "Content-Length: ";
}

void AnswerWriter::append_success_head(std::size_t body_size, Persistence persistence,
                                       std::string& out) const {
  out += success_head_;
  out += Digits(static_cast<std::int64_t>(body_size));
  out += "\r\n";
  out += connection_field(persistence);
  out += "\r\n";
}

void AnswerWriter::append_count(std::int64_t count, Persistence persistence, std::string& out) const {
  constexpr std::string_view before = R"({"count":)";
  const Digits digits(count);
  append_success_head(before.size() + std::string_view(digits).size() + 1, persistence, out);
  out += before;
  out += digits;
  out += '}';
}

void AnswerWriter::append_token(const domain::Token& token, Persistence persistence, std::string& out) const {
  const std::string body = R"({"token":")" + domain::to_string(token) + "\"}";
  append_success_head(body.size(), persistence, out);
  out += body;
}

void AnswerWriter::append_refusal(Refusal refusal, Persistence persistence, bool with_body, std::string& out,
                                  std::uint32_t retry_after_s) const {
  const RefusalText& text = text_of(refusal);
  const Digits status(text.status);
  std::string body = R"({"title":")";  // RFC 9457; the texts need no escapes in JSON
  body += text.reason;
  body += R"(","status":)";
  body += status;
  body += R"(,"detail":")";
  body += text.detail;
  body += "\"}";

  out += "HTTP/1.1 ";
  out += status;
  out += ' ';
  out += text.reason;
  out += "\r\n";
  out += date_field_;
  out += "Content-Type: application/problem+json\r\n";
  out += no_store;
  out += text.fields;
  if (retry_after_s > 0) {
    out += "Retry-After: ";
    out += Digits(retry_after_s);
    out += "\r\n";
  }
  out += "Content-Length: ";
  out += Digits(static_cast<std::int64_t>(body.size()));
  out += "\r\n";
  out += connection_field(persistence);
  out += "\r\n";
  if (with_body) out += body;
}

}  // namespace tracker::envoy
