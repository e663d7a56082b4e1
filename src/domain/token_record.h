#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tracker::domain {

/// Seconds since 1970.
using Seconds = std::uint64_t;

/// How many paths a token has counted, and their bytes together. A value.
struct TokenPaths {
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;

  bool operator==(const TokenPaths&) const = default;
};

/// What is kept of a token beside its counts. A value.
struct TokenRecord {
  Seconds minted_s = 0;   // 0: nobody knows
  Seconds expires_s = 0;  // 0: never
  Seconds idle_s = 0;     // it expires when nobody has used it for so long; 0: never
  /// When it was last used, as used_step() says. 0: not since it was minted, or nobody knows.
  Seconds used_s = 0;
  Seconds use_by_s = 0;   // it expires then unless it has counted something; 0: never
  Seconds revoked_s = 0;  // 0: it is not revoked

  using Paths = TokenPaths;
  /// Nothing: nobody knows, because a version of tracker minted it that did not note it.
  std::optional<Paths> paths = {};

  std::string label = {};   // at most label_bytes_max
  std::string others = {};  // facts of a later version, as they were found

  static constexpr std::size_t label_bytes_max = 256;
  static constexpr Seconds seconds_max = (Seconds{1} << 48U) - 1;  // of each time, so that sums are right

  bool operator==(const TokenRecord&) const = default;
};

enum class TokenState : std::uint8_t { active, expired, revoked };

std::string_view to_string(TokenState state) noexcept;

/// A use that is later than `used_s` by less than this is not noted: so a token that is in use is not written with every hit.
inline Seconds used_step(const TokenRecord& record) noexcept {
  constexpr Seconds hour = 3'600;
  return record.idle_s == 0 ? hour : std::clamp<Seconds>(record.idle_s / 8, 1, hour);
}

/// When it ends, or ended: what comes first. 0: nobody knows of an end. A token with an idle limit ends up to
/// used_step() late, and never early.
Seconds end_of(const TokenRecord& record) noexcept;

/// Its state at this time.
TokenState state_of(const TokenRecord& record, Seconds now_s) noexcept;

/// Whether it has ended so long ago that its counts need not be kept. A token that was never used, although it had to be,
/// is not kept at all.
bool is_outdated(const TokenRecord& record, Seconds now_s, Seconds retain_s) noexcept;

/// The facts of the record but for the time of minting, as text: `name=value`, separated by spaces. Empty: there are none.
/// Every store keeps a record in this form. A later version may add facts. This one keeps them as they are.
std::string encode_facts(const TokenRecord& record);

/// The reverse. Nothing: it is none, or of a version that this one must not take for its own, which begins with `v=`.
std::optional<TokenRecord> decode_facts(Seconds minted_s, std::string_view facts);

}  // namespace tracker::domain
