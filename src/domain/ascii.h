#pragma once

#include <algorithm>
#include <string_view>

namespace tracker::domain {

// What protocols say of characters, whatever the locale. All pure.

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// True if there is at least one character, and all are decimal digits.
constexpr bool all_digits(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

/// True if `a` and `b` are the same but for the case of ASCII letters.
constexpr bool equal_in_any_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [lower](char x, char y) { return x == y || lower(x) == lower(y); });
}

/// The text without spaces and tabs around it (RFC 9110, section 5.6.3: OWS).
constexpr std::string_view without_blanks(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace tracker::domain
