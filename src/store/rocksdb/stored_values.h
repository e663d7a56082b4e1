#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

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

/// Random bytes that a store draws once and keeps under the key "secret", which is also shorter than any counter's.
/// Every commit carries them, so that bytes of a client that look like a commit are not taken for one. They never leave
/// the store.
using StoreSecret = std::array<char, 16>;
inline constexpr std::string_view secret_key = "secret";

/// Nothing if they are none.
inline std::optional<StoreSecret> decode_secret(std::string_view bytes) noexcept {
  StoreSecret secret{};
  if (bytes.size() != secret.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), secret.begin());
  return secret;
}

/// The end of a commit. It is not zero, so that it is noticed if the last bytes were not written into zeros.
inline constexpr std::string_view commit_end = "\xFF";

}  // namespace tracker::store::rocksdb
