#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "counter/counter_list.h"
#include "domain/slot.h"
#include "runtime/observable.h"
#include "store/slot_marks.h"
#include "store/store_facts.h"

namespace tracker::counter {

/// What a counter says of itself to envoys and to other counters. A value.
struct CounterFacts {
  /// False: it is one of several counters among which the tokens are partitioned.
  bool owns_every_token = true;

  /// The store that it counts in, without the record. Nothing: it is not known, or cannot be.
  std::optional<store::StoreFacts> store = std::nullopt;

  // The following is said only by one of several.

  /// Its name among them.
  std::string name = {};

  /// The list that it has durably adopted. Null: none yet.
  CounterListPtr adopted = nullptr;

  /// The slots that it does not own by that list, but of which it holds tokens.
  domain::SlotSet held = {};

  /// How many of the slots that it owns by that list are settled, durably. Nothing: it is of a version that does not say.
  std::optional<std::size_t> settled = std::nullopt;

  /// By the exports that moved them: the slots whose tokens it has received, until it knows whether the source has let them go;
  /// and those whose tokens it has let go, until the target knows.
  std::map<store::ExportId, domain::SlotSet> received = {};
  std::map<store::ExportId, domain::SlotSet> handed = {};

  /// All counters that it has ever counted beside, and which of them are known to hold no token.
  std::set<std::string> names = {};
  std::set<std::string> empty_names = {};

  /// The store of each name, as it was first seen.
  std::map<std::string, store::StoreFacts::Id> bound = {};

  bool operator==(const CounterFacts& other) const;
};

/// Nothing: the counter has not said anything yet.
using CounterFactsSource = runtime::Observable<std::optional<CounterFacts>>;

}  // namespace tracker::counter
