#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "domain/hex.h"

namespace tracker::domain {

// Percent-encoding (RFC 3986, section 2). Pure; any thread.

/// Whether a character never needs to be encoded (RFC 3986, section 2.3).
constexpr bool is_unreserved(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

inline void append_percent_encoded(char c, std::string& out) {
  const auto byte = static_cast<std::uint8_t>(c);
  out += {'%', hex_upper[byte >> 4U], hex_upper[byte & 0xFU]};
}

/// Returns the text as the value of a parameter in a query (RFC 3986, section 3.4).
inline std::string query_value(std::string_view text) {
  std::string value;
  for (const char c : text) {
    if (is_unreserved(c) || c == '/') {
      value += c;
    } else {
      append_percent_encoded(c, value);
    }
  }
  return value;
}

}  // namespace tracker::domain
