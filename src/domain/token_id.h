#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/token.h"

namespace tracker::domain {

/// What stores, logs and messages between tracker's own processes know of a token. It opens nothing at the
/// HTTP door, and the token cannot be found from it.
struct TokenId {
  std::array<std::uint8_t, 16> bytes;

  auto operator<=>(const TokenId&) const = default;
};

/// The first 16 bytes of the SHA-256 (FIPS 180-4) of the token's 16 bytes. Any thread.
TokenId token_id(const Token& token) noexcept;

/// 32 lower-case hex digits.
std::string to_string(const TokenId& id);

}  // namespace tracker::domain
