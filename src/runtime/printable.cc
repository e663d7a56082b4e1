#include "runtime/printable.h"

#include <array>
#include <optional>

namespace tracker::runtime {

namespace {

struct Character {
  char32_t code;
  std::size_t bytes;
};

/// The character at the start of `text`, which is not empty. Returns nothing if it is not UTF-8 (RFC 3629, section 3).
std::optional<Character> first_character(std::string_view text) {
  const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return Character{lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return std::nullopt;
  char32_t code = lead & (0x7FU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return std::nullopt;
    code = code << 6U | (byte(i) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < least[bytes] || code > 0x10FFFF || is_surrogate) return std::nullopt;
  return Character{code, bytes};
}

bool is_printable(char32_t code) {
  const bool is_control = code < 0x20 || (code >= 0x7F && code <= 0x9F);
  const bool separates_lines = code == 0x2028 || code == 0x2029;
  const bool turns_direction = code == 0x061C || code == 0x200E || code == 0x200F ||
                               (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return !is_control && !separates_lines && !turns_direction && code != 0xFEFF;
}

void append_escaped(std::string_view bytes, std::string& line) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    line += {'\\', 'x', digits[byte >> 4U], digits[byte & 0xFU]};
  }
}

}  // namespace

std::string printable(std::string_view text, std::size_t bytes_max) {
  std::string line;
  while (!text.empty()) {
    if (line.size() >= bytes_max) return line + "... (" + std::to_string(text.size()) + " bytes more)";
    const auto character = first_character(text);
    const auto bytes = text.substr(0, character ? character->bytes : 1);
    if (character && is_printable(character->code)) {
      line += bytes;
    } else {
      append_escaped(bytes, line);
    }
    text.remove_prefix(bytes.size());
  }
  return line;
}

std::string json_string(std::string_view text) {
  std::string json = "\"";
  for (const char c : printable(text)) {  // which leaves nothing else to escape (RFC 8259, section 7)
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  return json + "\"";
}

std::string as_utf8(std::string_view text) {
  constexpr std::string_view replacement = "\xEF\xBF\xBD";
  std::string utf8;
  while (!text.empty()) {
    const auto character = first_character(text);
    utf8 += character ? text.substr(0, character->bytes) : replacement;
    text.remove_prefix(character ? character->bytes : 1);
  }
  return utf8;
}

}  // namespace tracker::runtime
