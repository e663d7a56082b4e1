#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "domain/token_record.h"

namespace tracker::store::rocksdb {

/// The form of numbers in the database: 8 bytes, little-endian.
using Value = std::array<char, 8>;

inline Value encode_value(std::uint64_t number) noexcept {
  Value bytes{};
  for (auto& byte : bytes) {
    byte = static_cast<char>(number & 0xFFU);
    number >>= 8U;
  }
  return bytes;
}

/// Reads a little-endian number of at most 8 bytes.
inline std::uint64_t little_endian(std::string_view bytes) noexcept {
  std::uint64_t number = 0;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
    number = number << 8U | static_cast<unsigned char>(*byte);
  }
  return number;
}

/// Returns nothing if the bytes are not a number.
inline std::optional<std::uint64_t> decode_value(std::string_view bytes) noexcept {
  return bytes.size() == sizeof(Value) ? std::optional(little_endian(bytes)) : std::nullopt;
}

/// What every commit says about itself, as its first change, under the key "commit". That key is shorter than any
/// counter's. The numbers have no gaps, so that a missing commit is noticed.
struct CommitFacts {
  std::uint64_t number = 0;  // 1 for the first
  std::uint64_t tokens = 0;  // the number of tokens after it
};
inline constexpr std::string_view commit_key = "commit";
inline constexpr std::size_t commit_facts_bytes = 2 * sizeof(Value);

/// Nothing if they are none.
inline std::optional<CommitFacts> decode_facts(std::string_view bytes) noexcept {
  if (bytes.size() != commit_facts_bytes) return std::nullopt;
  return CommitFacts{little_endian(bytes.substr(0, 8)), little_endian(bytes.substr(8))};
}

/// Random bytes that a store draws once and keeps, under a key that is also shorter than any counter's.
using DrawnBytes = std::array<char, 16>;

/// Nothing if they are none.
inline std::optional<DrawnBytes> decode_drawn(std::string_view bytes) noexcept {
  DrawnBytes drawn{};
  if (bytes.size() != drawn.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), drawn.begin());
  return drawn;
}

/// Every commit carries it, so that bytes of a client that look like a commit are not taken for one. It never leaves
/// the store.
using StoreSecret = DrawnBytes;
inline constexpr std::string_view secret_key = "secret";

/// Which store it is (StoreFacts::id). Copies of a store have the same.
inline constexpr std::string_view id_key = "id";

/// The key of the store's record (StoreFacts::record). It is shorter than any counter's, too.
inline constexpr std::string_view record_key = "record";

/// The key of the store's moves (stored_moves.h), which is shorter than any counter's, too.
inline constexpr std::string_view moves_key = "moves";

/// The value of a token: a number, and behind it the facts of its record (domain::encode_facts()). The number is when it
/// was minted, in seconds since 1970 (48 bits), and which import it came by, as StoredMoves numbers them (16 bits above;
/// 0: none). Before StoreFormat::with_token_records there were no facts.
struct TokenValue {
  domain::TokenRecord record = {};
  std::uint16_t import = 0;

  static constexpr unsigned minted_bits = 48;
  /// Nothing: the facts are none.
  static std::optional<TokenValue> of(std::uint64_t number, std::string_view facts) {
    auto record = domain::decode_facts(number & ((std::uint64_t{1} << minted_bits) - 1), facts);
    if (!record) return std::nullopt;
    return TokenValue{std::move(*record), import_in(number)};
  }
  static std::uint16_t import_in(std::uint64_t number) noexcept {
    return static_cast<std::uint16_t>(number >> minted_bits);
  }
  std::string to_bytes() const {
    const auto number = encode_value(std::uint64_t{import} << minted_bits | record.minted_s);
    return std::string(number.begin(), number.end()) + domain::encode_facts(record);
  }
};

/// The form of a record in the database: after each 255 bytes, one byte that is not zero. So no whole sector of a log
/// is zeros because of what is in a record. Such a sector would make damage look like a torn tail (write_ahead_log.h).
std::string encode_record(std::string_view record);

/// Nothing if it is none.
std::optional<std::string> decode_record(std::string_view bytes);

/// The end of a commit. It is not zero, so that it is noticed if the last bytes were not written into zeros.
inline constexpr std::string_view commit_end = "\xFF";

}  // namespace tracker::store::rocksdb
