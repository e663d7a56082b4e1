#include "domain/slot.h"

#include <array>
#include <charconv>
#include <string_view>

#include "domain/hex.h"

namespace tracker::domain {

namespace {

constexpr std::uint16_t polynomial = 0x1021;

/// What each byte adds to the remainder.
constexpr std::array<std::uint16_t, 256> make_crc16_table() {
  std::array<std::uint16_t, 256> table{};
  for (std::size_t byte = 0; byte < table.size(); ++byte) {
    auto remainder = static_cast<std::uint16_t>(byte << 8U);
    for (int bit = 0; bit < 8; ++bit) {
      const bool carry = (remainder & 0x8000U) != 0;
      remainder = static_cast<std::uint16_t>(remainder << 1U);
      if (carry) remainder = static_cast<std::uint16_t>(remainder ^ polynomial);
    }
    table[byte] = remainder;
  }
  return table;
}

constexpr auto crc16_table = make_crc16_table();

constexpr std::uint16_t crc16(std::uint16_t crc, char c) noexcept {
  const auto index = static_cast<std::uint8_t>((crc >> 8U) ^ static_cast<std::uint8_t>(c));
  return static_cast<std::uint16_t>((crc << 8U) ^ crc16_table[index]);
}

constexpr std::uint16_t crc16_of(std::string_view text) noexcept {
  std::uint16_t crc = 0;
  for (const char c : text) crc = crc16(crc, c);
  return crc;
}

static_assert(crc16_of("123456789") == 0x31C3, "the vector of Redis Cluster's specification");

/// What each byte of an id adds to the CRC of the id's digits. A CRC that begins with 0 is linear: it is the sum (XOR) of
/// the CRCs that each byte's two digits have if all other digits are replaced by zero bytes. So the bytes need not be
/// taken one after the other.
using Contributions = std::array<std::array<std::uint16_t, 256>, 16>;

constexpr Contributions make_contributions() {
  Contributions contributions{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    auto crc = crc16(crc16(0, hex_lower[byte >> 4U]), hex_lower[byte & 0xFU]);
    for (std::size_t place = contributions.size(); place-- > 0;) {
      contributions[place][byte] = crc;
      crc = crc16(crc16(crc, 0), 0);
    }
  }
  return contributions;
}

constexpr auto contributions = make_contributions();

}  // namespace

std::optional<Slot> parse_slot(std::string_view text) noexcept {
  Slot slot = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), slot);
  if (error != std::errc{} || end != text.data() + text.size() || slot >= slots) return std::nullopt;
  return slot;
}

std::string to_hex(const SlotSet& set) {
  std::string text;
  for (std::size_t slot = 0; slot < slots; slot += 4) {
    unsigned digit = 0;
    for (std::size_t i = 0; i < 4; ++i) digit = digit << 1U | (set[slot + i] ? 1U : 0U);
    text += hex_lower[digit];
  }
  return text;
}

std::optional<SlotSet> parse_slot_set(std::string_view text) {
  if (text.size() * 4 != slots) return std::nullopt;
  SlotSet set;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned digit = hex_value(text[i]);
    if (digit >= 16) return std::nullopt;
    for (std::size_t bit = 0; bit < 4; ++bit) set[4 * i + bit] = (digit >> (3 - bit) & 1U) != 0;
  }
  return set;
}

Slot slot_of(const TokenId& id) noexcept {
  std::uint16_t crc = 0;
  for (std::size_t place = 0; place < contributions.size(); ++place) {
    crc ^= contributions[place][id.bytes[place]];
  }
  return crc % slots;
}

Slot slot_of_hash_tag(std::string_view tag) noexcept {
  return crc16_of(tag) % slots;
}

}  // namespace tracker::domain
