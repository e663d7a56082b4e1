#include "rpc/facts_message.h"

#include <tracker/v1/counter_facts.pb.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace tracker::rpc {

namespace {

using Id = store::StoreFacts::Id;

bool parse(std::string_view bytes, google::protobuf::MessageLite& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

std::string to_bytes(const Id& id) {
  return {id.begin(), id.end()};
}

bool read_id(const std::string& bytes, Id& id) {
  if (bytes.size() != id.size()) return false;
  std::copy(bytes.begin(), bytes.end(), id.begin());
  return true;
}

void write_table(const counter::CounterList& list, v1::Table& table) {
  table.set_counters(list.to_string());
  table.set_version(list.version());
  table.set_fingerprint(list.table().fingerprint());
}

/// Null: malformed. The fingerprint follows from the list.
counter::CounterListPtr read_table(const v1::Table& table) {
  try {
    const auto list = counter::CounterList::parse(table.counters(), table.version());
    const auto& preferred = table.preferred();
    if (preferred.empty()) return std::make_shared<const counter::CounterList>(list);
    if (preferred.size() != domain::slots) return nullptr;
    return std::make_shared<const counter::CounterList>(
        list.preferring({preferred.begin(), preferred.end()}));
  } catch (const std::invalid_argument&) {
    return nullptr;
  }
}

std::string slots_bytes(const domain::SlotSet& slots) {
  std::string bytes(slots.none() ? 0 : domain::slots / 8, '\0');
  for (std::size_t slot = 0; slot < 8 * bytes.size(); ++slot) {
    if (slots[slot]) bytes[slot / 8] = static_cast<char>(bytes[slot / 8] | 1 << slot % 8);
  }
  return bytes;
}

bool read_slots(const std::string& bytes, domain::SlotSet& slots) {
  if (!bytes.empty() && bytes.size() != domain::slots / 8) return false;
  for (std::size_t slot = 0; slot < 8 * bytes.size(); ++slot)
    slots[slot] = (static_cast<std::uint8_t>(bytes[slot / 8]) >> slot % 8 & 1U) != 0;
  return true;
}

void write_moved(const Id& id, const domain::SlotSet& slots, v1::Moved& moved) {
  moved.set_export_id(to_bytes(id));
  moved.set_slots(slots_bytes(slots));
}

bool read_moved(const google::protobuf::RepeatedPtrField<v1::Moved>& messages,
                std::map<store::ExportId, domain::SlotSet>& moved) {
  return std::ranges::all_of(messages, [&](const auto& message) {
    Id id{};
    return read_id(message.export_id(), id) && read_slots(message.slots(), moved[id]);
  });
}

}  // namespace

std::string opening_message(std::string_view version, const counter::CounterList* list) {
  v1::Opening opening;
  opening.set_version(std::string(version));
  if (list != nullptr) write_table(*list, *opening.mutable_table());
  return opening.SerializeAsString();
}

std::optional<Opening> read_opening(std::string_view message) {
  v1::Opening read;
  if (!parse(message, read)) return std::nullopt;
  Opening opening{.version = read.version()};
  if (read.has_table() && !(opening.list = read_table(read.table()))) return std::nullopt;
  return opening;
}

std::string list_message(const counter::CounterList& list) {
  v1::Table table;
  write_table(list, table);
  return table.SerializeAsString();
}

counter::CounterListPtr read_list(std::string_view message) {
  v1::Table table;
  return parse(message, table) ? read_table(table) : nullptr;
}

std::string facts_message(const counter::CounterFacts& facts) {
  v1::CounterFacts message;
  if (facts.store) {
    auto& store = *message.mutable_store();
    store.set_id(to_bytes(facts.store->id));
    store.set_server_run(facts.store->server_run);
    for (const auto& id : facts.store->masters) store.add_masters(id);
    store.set_is_lasting(facts.store->is_lasting);
  }
  message.set_is_one_of_several(!facts.owns_every_token);
  message.set_name(facts.name);
  if (facts.adopted) {
    write_table(*facts.adopted, *message.mutable_adopted());
    const auto& preferred = facts.adopted->preferred();
    message.mutable_adopted()->set_preferred({preferred.begin(), preferred.end()});
  }
  message.set_held(slots_bytes(facts.held));
  if (facts.settled) message.set_settled(static_cast<std::uint32_t>(*facts.settled));
  for (const auto& [id, slots] : facts.received) write_moved(id, slots, *message.add_received());
  for (const auto& [id, slots] : facts.handed) write_moved(id, slots, *message.add_handed());
  for (const auto& name : facts.names) message.add_names(name);
  for (const auto& name : facts.empty_names) message.add_empty(name);
  for (const auto& [name, id] : facts.bound) {
    auto& bound = *message.add_bound();
    bound.set_name(name);
    bound.set_store_id(to_bytes(id));
  }
  return message.SerializeAsString();
}

std::optional<counter::CounterFacts> read_facts(std::string_view message) {
  v1::CounterFacts read;
  counter::CounterFacts facts;
  if (!parse(message, read) || !read_slots(read.held(), facts.held)) return std::nullopt;
  if (read.has_store()) {
    auto& store = facts.store.emplace();
    store.server_run = read.store().server_run();
    store.masters = {read.store().masters().begin(), read.store().masters().end()};
    store.is_lasting = read.store().is_lasting();
    if (!read_id(read.store().id(), store.id)) return std::nullopt;
  }
  facts.owns_every_token = !read.is_one_of_several();
  facts.name = read.name();
  if (read.has_adopted() && !(facts.adopted = read_table(read.adopted()))) return std::nullopt;
  if (read.has_settled()) facts.settled = read.settled();
  if (!read_moved(read.received(), facts.received) || !read_moved(read.handed(), facts.handed))
    return std::nullopt;
  facts.names.insert(read.names().begin(), read.names().end());
  facts.empty_names.insert(read.empty().begin(), read.empty().end());
  for (const auto& bound : read.bound()) {
    if (!read_id(bound.store_id(), facts.bound[bound.name()])) return std::nullopt;
  }
  return facts;
}

}  // namespace tracker::rpc
