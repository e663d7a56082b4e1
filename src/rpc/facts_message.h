#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "counter/counter_facts.h"
#include "counter/counter_list.h"
#include "rpc/batch_message.h"

namespace tracker::rpc {

// Converts the parts of proto/tracker/v1/counting.proto that are exchanged once in a connection, or seldom, to and from
// values. The readers return nothing for what is malformed, and ignore fields of later versions. Pure.

std::string opening_message(std::string_view version, const counter::CounterList* list);
std::optional<Opening> read_opening(std::string_view message);

/// A Table.
std::string list_message(const counter::CounterList& list);
/// Null: malformed.
counter::CounterListPtr read_list(std::string_view message);

std::string facts_message(const counter::CounterFacts& facts);
std::optional<counter::CounterFacts> read_facts(std::string_view message);

}  // namespace tracker::rpc
