#include "domain/token.h"

#include <openssl/rand.h>

#include <stdexcept>

#include "domain/hex.h"

namespace tracker::domain {

namespace {
/// The places of each byte's two digits in the text.
constexpr std::array<std::uint8_t, 16> digits_at = {0,  2,  4,  6,  9,  11, 14, 16,
                                                    19, 21, 24, 26, 28, 30, 32, 34};
constexpr std::array<std::uint8_t, 4> hyphens_at = {8, 13, 18, 23};
}  // namespace

std::optional<Token> parse_token(std::string_view text) noexcept {
  if (text.size() != token_text_size) return std::nullopt;
  for (auto at : hyphens_at) {
    if (text[at] != '-') return std::nullopt;
  }
  Token token{};
  unsigned seen = 0;
  for (std::size_t i = 0; i < token.bytes.size(); ++i) {
    const unsigned high = hex_value(text[digits_at[i]]);
    const unsigned low = hex_value(text[digits_at[i] + 1U]);
    seen |= high | low;
    token.bytes[i] = static_cast<std::uint8_t>(high << 4U | low);
  }
  if ((seen & not_hex) != 0) return std::nullopt;
  return token;
}

std::string to_string(const Token& token) {
  std::string text(token_text_size, '-');
  for (std::size_t i = 0; i < token.bytes.size(); ++i) {
    text[digits_at[i]] = hex_lower[token.bytes[i] >> 4U];
    text[digits_at[i] + 1U] = hex_lower[token.bytes[i] & 0xFU];
  }
  return text;
}

Token random_token() {
  Token token{};
  if (RAND_bytes(token.bytes.data(), static_cast<int>(token.bytes.size())) != 1) {
    throw std::runtime_error("the system gives no random numbers, so no token can be minted");
  }
  token.bytes[6] = static_cast<std::uint8_t>((token.bytes[6] & 0x0FU) | 0x40U);  // version 4
  token.bytes[8] = static_cast<std::uint8_t>((token.bytes[8] & 0x3FU) | 0x80U);  // the variant of RFC 9562
  return token;
}

}  // namespace tracker::domain
