#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "domain/token.h"

namespace tracker::domain {

/// A token as stores, logs and messages between tracker's own processes know it. It opens nothing at the HTTP door, and
/// the token cannot be computed from it.
struct TokenId {
  std::array<std::uint8_t, 16> bytes;

  // NOLINTNEXTLINE(modernize-use-nullptr): a mistake of clang-tidy 14
  auto operator<=>(const TokenId&) const = default;
};

/// For hash tables. A token id is part of a hash already, so strangers cannot choose ids that collide.
struct TokenIdHash {
  using is_avalanching = void;  // boost::unordered need not mix it further
  std::size_t operator()(const TokenId& id) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, id.bytes.data() + 8, sizeof hash);
    return hash;
  }
};

/// The first 16 bytes of the SHA-256 (FIPS 180-4) of the token's 16 bytes. Any thread.
TokenId token_id(const Token& token) noexcept;

/// The next id in order. Nothing: it is the last one.
std::optional<TokenId> next_id(TokenId id) noexcept;

/// 32 lower-case hex digits.
std::string to_string(const TokenId& id);

}  // namespace tracker::domain
