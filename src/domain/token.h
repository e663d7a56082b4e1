#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tracker::domain {

/// A bearer secret: whoever knows it can have requests counted under it. Never stored, logged or sent on;
/// everything behind the edge knows its TokenId only.
struct Token {
  std::array<std::uint8_t, 16> bytes;

  bool operator==(const Token&) const = default;
};

/// The length of a token as it is written: 8-4-4-4-12 hex digits.
inline constexpr std::size_t token_text_size = 36;

/// Reads the canonical 36-character form of a UUID (RFC 9562, section 4), hex digits in either case.
/// Nothing else is a token: no braces, no "urn:uuid:", no form without hyphens.
std::optional<Token> parse_token(std::string_view text) noexcept;

/// The canonical form, in lower case.
std::string to_string(const Token& token);

/// A fresh random UUID (RFC 9562, section 5.4: version 4), its 122 random bits from OpenSSL's cryptographic
/// generator. Throws std::runtime_error if the generator cannot be seeded. Any thread.
Token random_token();

}  // namespace tracker::domain
