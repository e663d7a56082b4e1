#include "support/http_answer.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace tracker::tests {
namespace {

constexpr std::size_t body_bytes_max = 1 << 20;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name_char(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_visible(char c) {
  return c == ' ' || (c > 0x20 && c < 0x7f);
}

bool equal_in_any_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

void read_status_line(std::string_view line, HttpAnswer& answer) {
  const bool framed = line.size() >= 13 && line.starts_with("HTTP/1.") &&
                      (line[7] == '0' || line[7] == '1') && line[8] == ' ' && line[12] == ' ' &&
                      std::all_of(&line[9], &line[9] + 3, is_digit);
  if (!framed) throw MalformedAnswer("status line: " + std::string(line));
  answer.minor_version = line[7] - '0';
  std::from_chars(&line[9], &line[9] + 3, answer.status);
  answer.reason = line.substr(13);
}

void read_field(std::string_view line, HttpAnswer& answer) {
  const auto colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) throw MalformedAnswer("field: " + std::string(line));
  const std::string_view name = line.substr(0, colon);
  std::string_view value = line.substr(colon + 1);
  if (!std::all_of(name.begin(), name.end(), is_name_char)) {
    throw MalformedAnswer("field name: " + std::string(line));
  }
  while (value.starts_with(' ')) value.remove_prefix(1);
  while (value.ends_with(' ')) value.remove_suffix(1);
  answer.fields.emplace_back(name, value);
}

std::size_t body_bytes(const HttpAnswer& answer) {
  const auto value = answer.field("Content-Length");
  if (!value || value->empty() || !std::all_of(value->begin(), value->end(), is_digit)) {
    throw MalformedAnswer("needs one Content-Length: " + answer.to_string());
  }
  if (answer.field_count("Transfer-Encoding") != 0) throw MalformedAnswer("has a Transfer-Encoding");
  std::size_t bytes = 0;
  const auto parsed = std::from_chars(value->data(), value->data() + value->size(), bytes);
  if (parsed.ec != std::errc{} || bytes > body_bytes_max) throw MalformedAnswer("Content-Length: " + *value);
  return bytes;
}

}  // namespace

std::optional<std::string> HttpAnswer::field(std::string_view name) const {
  std::optional<std::string> found;
  for (const auto& [key, value] : fields) {
    if (!equal_in_any_case(key, name)) continue;
    if (found) return std::nullopt;
    found = value;
  }
  return found;
}

std::size_t HttpAnswer::field_count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      fields.begin(), fields.end(), [&](const auto& field) { return equal_in_any_case(field.first, name); }));
}

std::string HttpAnswer::to_string() const {
  std::string text = std::to_string(status) + " " + reason;
  for (const auto& [name, value] : fields) text += " | " + name + ": " + value;
  return text + " | " + body;
}

std::optional<HttpAnswer> take_answer(std::string_view bytes, AnswerTo asked, std::size_t& taken) {
  HttpAnswer answer;
  std::size_t at = 0;
  for (bool first = true;; first = false) {
    const auto end = bytes.find('\n', at);
    const std::string_view line = bytes.substr(at, end == std::string_view::npos ? end : end - at);
    const std::string_view text = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
    if (!std::all_of(text.begin(), text.end(), is_visible)) throw MalformedAnswer("control byte in the head");
    if (end == std::string_view::npos) return std::nullopt;
    if (!line.ends_with('\r')) throw MalformedAnswer("bare LF");
    at = end + 1;
    if (first) {
      read_status_line(text, answer);
    } else if (text.empty()) {
      break;
    } else {
      read_field(text, answer);
    }
  }
  const std::size_t length = body_bytes(answer);
  if (asked == AnswerTo::get) {
    if (bytes.size() - at < length) return std::nullopt;
    answer.body = bytes.substr(at, length);
    at += length;
  }
  taken += at;
  return answer;
}

}  // namespace tracker::tests
