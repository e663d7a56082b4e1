#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/readiness.h"
#include "domain/slot.h"

namespace tracker::store {

/// Which export moves tokens.
using ExportId = std::array<std::uint8_t, 16>;

/// What is done with slots of a store while their tokens move.
struct SlotMark {
  enum class Kind : std::uint8_t {
    /// Their tokens are being exported. No hit is counted and no token is minted in them.
    held,
    /// Tokens are being imported into them. Those are not counted until the mark is taken away. A hit of an unknown token is
    /// refused as not counted, because its token may still come. All other tokens of the slots count.
    importing,
    /// Their tokens have moved to another store. No hit is counted and no token is minted in them, and they are not read.
    moved,
  };
  Kind kind = Kind::held;
  ExportId export_id{};
  domain::SlotSet slots = {};

  /// Whether no hit is counted and no token is minted.
  bool stops_counting() const noexcept { return kind != Kind::importing; }

  bool operator==(const SlotMark&) const = default;
};

/// The marks of a store. A slot has one at most. A value.
class SlotMarks {
 public:
  /// Gives the slots of `mark` that mark, in place of those they have.
  void set(const SlotMark& mark);
  void clear(const domain::SlotSet& slots);

  const std::vector<SlotMark>& all() const& noexcept { return marks_; }
  std::vector<SlotMark> all() && noexcept { return std::move(marks_); }
  bool empty() const noexcept { return marks_.empty(); }
  /// Null: the slot has none.
  const SlotMark* of(domain::Slot slot) const noexcept;
  /// The slots that have a mark, and those that have one of this kind.
  domain::SlotSet slots() const;
  domain::SlotSet of(SlotMark::Kind kind) const;

  /// The slots in which no hit is counted and no token is minted.
  domain::SlotSet stopped() const;
  /// Whether an import of this export is under way.
  bool is_importing(const ExportId& id) const noexcept;

  /// Says what is refused because of them. Not ready if that is everything.
  domain::Readiness readiness(domain::Readiness::Time now) const;

  /// Lines of text.
  std::string to_string() const;
  /// Nothing: it is no such text, or one of a later version of tracker.
  static std::optional<SlotMarks> parse(std::string_view text);

  bool operator==(const SlotMarks&) const = default;

 private:
  std::vector<SlotMark> marks_;
};

}  // namespace tracker::store
