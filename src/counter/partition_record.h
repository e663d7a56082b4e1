#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "counter/counter_list.h"
#include "domain/slot.h"
#include "store/slot_marks.h"
#include "store/store_facts.h"

namespace tracker::counter {

/// What one of several counters must not forget. It is the record of its store (store::StoreFacts). A value.
struct PartitionRecord {
  std::string name;     // of this counter
  CounterListPtr list;  // that it has adopted

  domain::SlotSet settled = {};  // the slots in which it counts and mints; all of them are its own by `list`
  domain::SlotSet held = {};     // all slots that ever had a token in this store, without those that are gone

  /// The slots whose tokens here are copies: the tokens have moved to another counter. Nothing settles in them.
  domain::SlotSet gone = {};
  /// Slots that move between this counter and another one.
  struct Move {
    store::StoreFacts::Id other{};  // the store of the other one
    domain::SlotSet slots = {};

    bool operator==(const Move&) const = default;
  };
  using Moves = std::map<store::ExportId, Move>;
  /// An import of theirs has begun. Nothing else is in the slots.
  Moves coming = {};
  /// All has arrived, and it is not known yet whether the source has let them go.
  Moves received = {};
  /// They are gone, and the target does not know yet.
  Moves handed = {};

  std::set<std::string> names = {};                         // that it has counted beside
  std::set<std::string> empty_names = {};                   // those of them that are known to hold no token
  std::map<std::string, store::StoreFacts::Id> bound = {};  // the stores of names, as they were first seen

  bool operator==(const PartitionRecord& other) const;

  /// Lines of text.
  std::string to_string() const;
  /// Nothing: it is no such text, or one of a later version of tracker.
  static std::optional<PartitionRecord> parse(std::string_view text);
};

}  // namespace tracker::counter
