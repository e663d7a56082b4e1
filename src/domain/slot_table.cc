#include "domain/slot_table.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <string_view>
#include <utility>

namespace tracker::domain {

namespace {

/// The first 8 bytes of the SHA-256, in network order.
std::uint64_t hash_of(std::string_view text) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), digest.data());
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < sizeof hash; ++i) hash = hash << 8U | digest[i];
  return hash;
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): each bit of its argument changes each bit of the result.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30U)) * 0xBF58'476D'1CE4'E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D0'49BB'1331'11EBU;
  return x ^ (x >> 31U);
}

constexpr std::uint64_t golden_ratio = 0x9E37'79B9'7F4A'7C15U;

}  // namespace

SlotTable::SlotTable(std::vector<std::string> names) : names_(std::move(names)), owners_(slots) {
  assert(!names_.empty() && names_.size() <= UINT16_MAX);
  std::sort(names_.begin(), names_.end());
  assert(std::adjacent_find(names_.begin(), names_.end()) == names_.end());
  std::string all;
  for (const auto& name : names_) {
    seeds_.push_back(hash_of(name));
    all += std::to_string(name.size()) + ':' + name;
  }
  fingerprint_ = hash_of(all);
  for (std::size_t slot = 0; slot < slots; ++slot) {
    std::size_t best = 0;
    for (std::size_t counter = 1; counter < names_.size(); ++counter) {
      if (score(counter, static_cast<Slot>(slot)) > score(best, static_cast<Slot>(slot))) best = counter;
    }
    owners_[slot] = static_cast<std::uint16_t>(best);
  }
}

void SlotTable::prefer(const std::vector<std::uint16_t>& counters) {
  assert(counters.size() == slots);
  for (std::size_t slot = 0; slot < slots; ++slot) {
    if (counters[slot] != nobody) owners_[slot] = counters[slot];
  }
}

/// Names with the same score, which is improbable, own in alphabetical order.
std::uint64_t SlotTable::score(std::size_t counter, Slot slot) const noexcept {
  return mix(seeds_[counter] + (slot + std::uint64_t{1}) * golden_ratio);
}

std::vector<std::size_t> SlotTable::order(Slot slot) const {
  std::vector<std::size_t> order(names_.size());
  for (std::size_t counter = 0; counter < order.size(); ++counter) order[counter] = counter;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return score(a, slot) > score(b, slot); });
  const auto first = std::find(order.begin(), order.end(), owner(slot));
  std::rotate(order.begin(), first, first + 1);
  return order;
}

std::vector<std::size_t> SlotTable::shares() const {
  std::vector<std::size_t> shares(names_.size());
  for (const auto owner : owners_) ++shares[owner];
  return shares;
}

}  // namespace tracker::domain
