#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tracker::domain {

inline constexpr char hex_lower[] = "0123456789abcdef";
inline constexpr char hex_upper[] = "0123456789ABCDEF";

/// The value of a character that is not a hex digit. It has bits that no digit has, so the values of several characters
/// can be combined by `|` and checked at once.
inline constexpr std::uint8_t not_hex = 0xF0;

namespace detail {
consteval std::array<std::uint8_t, 256> make_hex_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(not_hex);
  for (std::uint8_t i = 0; i < 16; ++i) {
    values[static_cast<std::uint8_t>(hex_lower[i])] = i;
    values[static_cast<std::uint8_t>(hex_upper[i])] = i;
  }
  return values;
}
inline constexpr auto hex_values = make_hex_values();
}  // namespace detail

/// The value of a hex digit in either case, or not_hex.
constexpr std::uint8_t hex_value(char c) noexcept {
  return detail::hex_values[static_cast<std::uint8_t>(c)];
}

/// Appends two lower-case digits for each byte.
inline void append_hex(std::span<const std::uint8_t> bytes, std::string& out) {
  const std::size_t begin = out.size();
  out.resize(begin + 2 * bytes.size());
  char* at = out.data() + begin;
  for (const auto byte : bytes) {
    at[0] = hex_lower[byte >> 4U];
    at[1] = hex_lower[byte & 0xFU];
    at += 2;
  }
}

/// Fills `bytes` from two digits for each byte, in either case. Returns false if `text` is anything else.
inline bool parse_hex(std::string_view text, std::span<std::uint8_t> bytes) noexcept {
  if (text.size() != 2 * bytes.size()) return false;
  unsigned seen = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const unsigned high = hex_value(text[2 * i]);
    const unsigned low = hex_value(text[2 * i + 1]);
    seen |= high | low;
    bytes[i] = static_cast<std::uint8_t>(high << 4U | low);
  }
  return (seen & not_hex) == 0;
}

}  // namespace tracker::domain
