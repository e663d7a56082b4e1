#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tracker::domain {

/// A bearer secret: whoever knows it can have requests counted under it. A token is never stored, logged or sent on.
/// Everything behind the edge knows only its TokenId.
struct Token {
  std::array<std::uint8_t, 16> bytes;

  bool operator==(const Token&) const = default;
};

/// The length of a token as text: 8-4-4-4-12 hex digits.
inline constexpr std::size_t token_text_size = 36;

/// Reads the canonical 36-character form of a UUID (RFC 9562, section 4), with hex digits in either case. Nothing else
/// is a token: no braces, no "urn:uuid:", no form without hyphens.
std::optional<Token> parse_token(std::string_view text) noexcept;

/// The canonical form, in lower case.
std::string to_string(const Token& token);

/// Returns a fresh random UUID (RFC 9562, section 5.4: version 4). Its 122 random bits come from OpenSSL's
/// cryptographic generator. Throws std::runtime_error if the generator cannot be seeded. Any thread.
Token random_token();

}  // namespace tracker::domain
