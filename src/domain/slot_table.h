#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "domain/slot.h"

namespace tracker::domain {

/// Which counter owns which slot: each slot goes to the counter whose name has the highest score for it (rendezvous
/// hashing: Thaler and Ravishankar, 1998). So a change of the list moves only the slots that it must. Only the names
/// decide, not their order and not the counters' addresses. A value. It is computed once, which takes time in proportion
/// to the number of names (about 0.1 ms each).
class SlotTable {
 public:
  static constexpr std::uint16_t nobody = UINT16_MAX;

  /// `names` are the counters that own slots: one or more, without a name twice.
  explicit SlotTable(std::vector<std::string> names);

  /// Makes these counters, by their numbers, the owners of the slots. For counters that own every token each, of which one
  /// is preferred. `nobody`: the owner stays.
  void prefer(const std::vector<std::uint16_t>& counters);

  /// The names in alphabetical order. A counter's number is its place here.
  const std::vector<std::string>& names() const noexcept { return names_; }

  std::size_t owner(Slot slot) const noexcept { return owners_[slot]; }
  const std::string& owner_name(Slot slot) const noexcept { return names_[owners_[slot]]; }

  /// The counters in the order in which they would own the slot: its owner, then the one that would own it if the owner
  /// were not in the list, and so on. A preferred one comes first. By their numbers.
  std::vector<std::size_t> order(Slot slot) const;

  /// How many slots each counter owns, by its number.
  std::vector<std::size_t> shares() const;

  /// Two tables with the same fingerprint are the same, but for who is preferred. The first 8 bytes of the SHA-256 of the
  /// names.
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  bool operator==(const SlotTable& other) const noexcept {
    return names_ == other.names_ && owners_ == other.owners_;
  }

 private:
  std::uint64_t score(std::size_t counter, Slot slot) const noexcept;

  std::vector<std::string> names_;
  std::vector<std::uint64_t> seeds_;   // of each name: the first 8 bytes of its SHA-256
  std::vector<std::uint16_t> owners_;  // of each slot: a number
  std::uint64_t fingerprint_ = 0;
};

}  // namespace tracker::domain
