#pragma once

#include <map>
#include <string>

#include "counter/counter_list.h"
#include "counter/partition_record.h"
#include "domain/slot.h"
#include "store/slot_marks.h"
#include "store/store_facts.h"

namespace tracker::counter {

/// The slots of which a counter holds tokens, and that are others' by its list: by their names. Without those of imports,
/// whose tokens may still be their source's.
std::map<std::string, domain::SlotSet> lost_slots(const PartitionRecord& record);

/// The slots whose tokens here are of no use once a counter is forgotten: copies of tokens that have moved away, and what an
/// import from its store has brought that was not finished.
domain::SlotSet given_up_slots(const PartitionRecord& record, const std::string& forgotten);

/// The id of the export that moves the slots of the store that are `owner`'s by the list. It follows from these three, so
/// that an export that is made again has the same id, and one by another list another.
store::ExportId lost_export_id(const store::StoreFacts::Id& store, const CounterList& list,
                               const std::string& owner);

}  // namespace tracker::counter
