#include "envoy/request_head.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "domain/ascii.h"
#include "domain/target.h"

namespace tracker::envoy {

namespace {

using domain::all_digits;
using domain::equal_in_any_case;
using domain::without_blanks;

enum CharacterClass : std::uint8_t {
  token_character = 1,    // RFC 9110, section 5.6.2
  control_character = 2,  // except HTAB, which a field's value may hold
};

consteval std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const auto is_one_of = [c](std::string_view set) { return set.find(static_cast<char>(c)) != set.npos; };
    if (alphanumeric || is_one_of("!#$%&'*+-.^_`|~")) classes[c] |= token_character;
    if ((c < 0x20 && c != '\t') || c == 0x7F) classes[c] |= control_character;
  }
  return classes;
}
constexpr auto classes = make_classes();

bool is(CharacterClass wanted, char c) {
  return (classes[static_cast<std::uint8_t>(c)] & wanted) != 0;
}

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return is(token_character, c); });
}

bool has_control_character(std::string_view text) {
  // Eight bytes at a time, as long as none is 0x7F or below 0x20 (as HTAB is, too).
  constexpr std::uint64_t each = 0x0101010101010101;
  for (std::uint64_t bytes = 0; text.size() >= sizeof bytes; text.remove_prefix(sizeof bytes)) {
    std::memcpy(&bytes, text.data(), sizeof bytes);
    if ((((bytes - each * 0x20) | ((bytes ^ each * 0x7F) - each)) & ~bytes & each * 0x80) != 0) break;
  }
  return std::any_of(text.begin(), text.end(), [](char c) { return is(control_character, c); });
}

/// Calls `visit` with each element of a comma-separated list.
template <typename Visit>
void for_each_element(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    visit(without_blanks(list.substr(0, comma)));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

/// Returns true for HTTP/ and a version number other than 1.x: a known protocol that this server does not speak.
bool is_other_version(std::string_view word) {
  if (!word.starts_with("HTTP/")) return false;
  word.remove_prefix(5);
  const auto dot = word.find('.');
  const auto major = word.substr(0, dot);
  return all_digits(major) && major != "1" && (dot == word.npos || all_digits(word.substr(dot + 1)));
}

/// Returns true for HTTP/1.x.
bool is_version_1(std::string_view word) {
  return word.size() == 8 && word.starts_with("HTTP/1.") && domain::is_digit(word[7]);
}

class HeadParser {
 public:
  HeadParser(std::string_view input, const HeadLimits& limits, HeadInput what)
      : rest_(input), limits_(limits), size_(input.size()), what_(what) {}

  std::optional<RequestHead> parse() {
    const auto line = next_line();
    head_.method = line.text.substr(0, line.text.find(' '));
    if (!line.ended) return unfinished_request_line(line.text);
    if (!request_line(line)) return head_;

    for (std::size_t fields = 0;; ++fields) {
      const auto field_line = next_line();
      if (!line_is_clean(field_line)) return head_;
      if (!field_line.ended) return unfinished_fields();
      if (field_line.text.empty()) break;
      if (fields == limits_.fields_max) refuse(Refusal::too_many_fields);
      field(field_line.text);
    }

    head_.size = size_ - rest_.size();
    if (head_.size > limits_.head_bytes_max) refuse(Refusal::head_too_large);
    end_of_head();
    return head_;
  }

 private:
  struct Line {
    std::string_view text;  // without its CRLF, and in an unfinished line without a CR at its end
    bool ended;
    bool ended_in_crlf;
  };

  Line next_line() {
    const auto end = rest_.find('\n');
    const bool ended = end != rest_.npos;
    std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(ended ? end + 1 : rest_.size());
    const bool cr = text.ends_with('\r');
    if (cr) text.remove_suffix(1);
    return {text, ended, ended && cr};
  }

  /// Keeps the refusal that comes first in Refusal. Returns false, for `return refuse(...)`.
  bool refuse(Refusal refusal) {
    if (!head_.refusal || refusal < *head_.refusal) head_.refusal = refusal;
    return false;
  }

  bool line_is_clean(const Line& line) {
    if (has_control_character(line.text) || (line.ended && !line.ended_in_crlf)) {
      return refuse(Refusal::control_character);
    }
    return true;
  }

  std::optional<RequestHead> unfinished_request_line(std::string_view text) {
    if (text.starts_with('\x16')) {  // RFC 8446, section 5.1: a TLS record that holds a handshake
      refuse(Refusal::tls);
    } else if (has_control_character(text)) {
      refuse(Refusal::control_character);
    } else if (text.size() > limits_.line_bytes_max) {
      refuse(Refusal::line_too_long);
    } else if (size_ >= limits_.head_bytes_max) {
      refuse(Refusal::head_too_large);
    }
    return refused_or_incomplete();
  }

  std::optional<RequestHead> unfinished_fields() {
    if (size_ >= limits_.head_bytes_max) refuse(Refusal::head_too_large);
    if (what_ == HeadInput::all_there_is) return head_;
    // A head that is too large stays so. Any other refusal must wait: one that wins over it may still come.
    if (head_.refusal && *head_.refusal > Refusal::too_many_fields) return std::nullopt;
    return refused_or_incomplete();
  }

  std::optional<RequestHead> refused_or_incomplete() const {
    if (head_.refusal) return head_;
    return std::nullopt;
  }

  /// Returns false if nothing that follows can matter.
  bool request_line(const Line& line) {
    const auto first_space = line.text.find(' ');
    const auto last_space = line.text.rfind(' ');
    if (last_space != line.text.npos && is_other_version(line.text.substr(last_space + 1))) {
      return refuse(Refusal::http_version);
    }
    if (line.text.starts_with('\x16')) return refuse(Refusal::tls);
    if (!line_is_clean(line)) return false;
    if (first_space == last_space) return refuse(Refusal::malformed);

    head_.target = line.text.substr(first_space + 1, last_space - first_space - 1);
    const auto version = line.text.substr(last_space + 1);
    const bool well_formed = is_token(head_.method) && !head_.target.empty() && is_version_1(version) &&
                             head_.target.find(' ') == head_.target.npos &&
                             head_.target.find('\t') == head_.target.npos;
    if (!well_formed) return refuse(Refusal::malformed);
    head_.http_1_0 = version.ends_with('0');
    if (line.text.size() > limits_.line_bytes_max) refuse(Refusal::line_too_long);
    return true;
  }

  void field(std::string_view line) {
    const auto colon = line.find(':');
    const auto name = line.substr(0, colon);
    if (colon == line.npos || !is_token(name)) {  // a folded line begins with a space, which no token holds
      refuse(Refusal::field);
      return;
    }
    known_field(name, without_blanks(line.substr(colon + 1)));
  }

  void known_field(std::string_view name, std::string_view value) {
    switch (name.size()) {
      case 4:
        if (equal_in_any_case(name, "host")) host(value);
        break;
      case 6:
        if (equal_in_any_case(name, "expect")) {
          if (!equal_in_any_case(value, "100-continue")) head_.expects_the_unknown = true;
        }
        break;
      case 10:
        if (equal_in_any_case(name, "connection")) connection(value);
        break;
      case 13:
        if (equal_in_any_case(name, "authorization")) {
          if (head_.authorization_fields++ == 0) head_.authorization = value;
        }
        break;
      case 14:
        if (equal_in_any_case(name, "content-length")) content_length(value);
        break;
      case 17:
        if (equal_in_any_case(name, "transfer-encoding")) refuse(Refusal::transfer_encoding);
        break;
      default:
        break;
    }
  }

  void host(std::string_view value) {
    if (has_host_ || !domain::is_authority(value)) refuse(Refusal::host);
    has_host_ = true;
  }

  void connection(std::string_view value) {
    for_each_element(value, [this](std::string_view option) {
      if (equal_in_any_case(option, "close")) says_close_ = true;
      if (equal_in_any_case(option, "keep-alive")) says_keep_alive_ = true;
    });
  }

  void content_length(std::string_view value) {
    if (has_content_length_ || !all_digits(value) || (head_.method == "GET" && value != "0")) {
      refuse(Refusal::content_length);
    }
    has_content_length_ = true;
    head_.has_body = value.find_first_not_of('0') != value.npos;
  }

  void end_of_head() {
    if (!has_host_ && !head_.http_1_0) refuse(Refusal::host);
    head_.keep_alive = !says_close_ && (!head_.http_1_0 || says_keep_alive_);
  }

  std::string_view rest_;
  const HeadLimits& limits_;
  const std::size_t size_;
  const HeadInput what_;
  RequestHead head_;
  bool has_host_ = false;
  bool has_content_length_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
};

}  // namespace

std::optional<RequestHead> parse_request_head(std::string_view input, const HeadLimits& limits,
                                              HeadInput what) {
  return HeadParser(input, limits, what).parse();
}

}  // namespace tracker::envoy
