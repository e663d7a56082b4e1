#include "counter/lost_slots.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "domain/hex.h"

namespace tracker::counter {

std::map<std::string, domain::SlotSet> lost_slots(const PartitionRecord& record) {
  auto held = record.held;
  for (const auto* imports : {&record.coming, &record.received}) {
    for (const auto& [id, import] : *imports) held &= ~import.slots;
  }
  std::map<std::string, domain::SlotSet> lost;
  for (std::size_t i = 0; i < domain::slots; ++i) {
    if (!held[i]) continue;
    const auto& owner = record.list->table().owner_name(static_cast<domain::Slot>(i));
    if (owner != record.name) lost[owner].set(i);
  }
  return lost;
}

domain::SlotSet given_up_slots(const PartitionRecord& record, const std::string& forgotten) {
  auto slots = record.gone & ~record.held;  // the others are being imported again
  const auto its_store = record.bound.find(forgotten);
  if (its_store == record.bound.end()) return slots;
  for (const auto& [id, import] : record.coming) {
    if (import.other == its_store->second) slots |= import.slots;
  }
  return slots;
}

store::ExportId lost_export_id(const store::StoreFacts::Id& store, const CounterList& list,
                               const std::string& owner) {
  std::string text = "tracker lost slots ";
  domain::append_hex(store, text);
  text +=
      ' ' + std::to_string(list.version()) + ' ' + std::to_string(list.table().fingerprint()) + ' ' + owner;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) std::abort();
  store::ExportId id{};
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

}  // namespace tracker::counter
