#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/slot_marks.h"

namespace tracker::store::rocksdb {

/// What a store on disk keeps of moves of tokens. A value.
struct StoredMoves {
  SlotMarks marks = {};
  std::vector<ExportId> imports = {};  // all that there ever were

  /// The number by which the tokens of an import know it: from 1 on. 0: there was no such import.
  std::uint16_t number_of(const ExportId& id) const noexcept;
  /// Gives an import its number. Returns 0 if there are no more numbers.
  std::uint16_t add(const ExportId& id);
  /// Whether the tokens of the import with this number do not count yet.
  bool is_under_way(std::uint16_t number) const noexcept;

  /// Lines of text.
  std::string to_string() const;
  /// Nothing: it is no such text, or one of a later version of tracker.
  static std::optional<StoredMoves> parse(std::string_view text);

  bool operator==(const StoredMoves&) const = default;
};

}  // namespace tracker::store::rocksdb
