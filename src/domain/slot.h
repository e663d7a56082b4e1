#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/token_id.h"

namespace tracker::domain {

/// A part of all tokens: the unit in which tokens are given to counters. A number below `slots`.
using Slot = std::uint16_t;

inline constexpr std::size_t slots = 16'384;

using SlotSet = std::bitset<slots>;

/// Returns nothing unless `text` is the decimal number of a slot.
std::optional<Slot> parse_slot(std::string_view text) noexcept;

/// 4,096 hex digits: the lowest slot is the highest bit of the first digit.
std::string to_hex(const SlotSet& slots);
/// Nothing: `text` is no such digits.
std::optional<SlotSet> parse_slot_set(std::string_view text);

/// CRC16/XMODEM of the id's 32 lower-case hex digits, modulo 16,384. It is the slot that a Redis Cluster gives the token's
/// key, whose hash tag these digits are (Redis Cluster specification, "Key distribution model"). Any thread.
Slot slot_of(const TokenId& id) noexcept;

/// The slot that a Redis Cluster gives the keys with this hash tag. Any thread.
Slot slot_of_hash_tag(std::string_view tag) noexcept;

}  // namespace tracker::domain
