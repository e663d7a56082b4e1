#include "transfer/moves.h"

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "counter/lost_slots.h"
#include "store/store_error.h"

namespace tracker::transfer {

using domain::SlotSet;
using store::SlotMark;
using store::StoreError;

namespace {

constexpr std::size_t strangers_named = 5;

store::ExportId new_id() {
  store::ExportId id{};
  if (RAND_bytes(id.data(), static_cast<int>(id.size())) != 1)
    throw StoreError("the system gives no random numbers");
  return id;
}

/// The slots whose tokens have moved away.
SlotSet moved_slots(const MovableStore& store) {
  auto moved = store.contents.marks().of(SlotMark::Kind::moved);
  if (store.record) moved |= store.record->gone;
  return moved;
}

ExportHeader header_of_lost(const MovableStore& store, const std::string& owner) {
  if (!store.record) throw StoreError("its counter is not one of several, so it has lost no slots");
  const auto& record = *store.record;
  const auto lost = counter::lost_slots(record);
  const auto its = lost.find(owner);
  if (its == lost.end()) {
    std::string owners;
    for (const auto& [name, slots] : lost) owners += " " + name;
    throw StoreError("no tokens here are " + owner + "'s by the list; " +
                     (owners.empty() ? "none are to be moved" : "those to be moved are of:" + owners));
  }
  return {.kind = ExportHeader::Kind::lost,
          .id = counter::lost_export_id(store.contents.facts().id, *record.list, owner),
          .slots = its->second,
          .owner = owner,
          .list_version = record.list->version(),
          .list_fingerprint = record.list->table().fingerprint()};
}

/// Holds the slots, if that is asked for. If they are held already, the export is the one that they are held for.
ExportHeader header_of_slots(const MovableStore& store, const ExportRequest& request) {
  ExportHeader header{.id = new_id(), .slots = request.slots.value_or(SlotSet{}.set()) & ~moved_slots(store)};
  if (header.slots.none()) throw StoreError("the tokens of these slots have moved to another store");
  const auto marks = store.contents.marks();
  for (const auto& mark : marks.all()) {
    if (mark.kind != SlotMark::Kind::held || (mark.slots & header.slots).none()) continue;
    if (mark.slots != header.slots) {
      throw StoreError(
          "some of these slots are held for export " + to_hex(mark.export_id) +
          "; finish that move, or end it by tracker export --unhold, or export the same slots: " +
          slots_text(mark.slots));
    }
    header.kind = ExportHeader::Kind::held;
    header.id = mark.export_id;
    return header;
  }
  if (!request.hold) return header;
  header.kind = ExportHeader::Kind::held;
  store.contents.set_mark({SlotMark::Kind::held, header.id, header.slots});
  return header;
}

bool is_same_store(const ExportHeader& header, const store::StoreFacts& facts) {
  if (facts.masters.empty()) return header.masters.empty() && header.store == facts.id;
  return std::ranges::any_of(header.masters, [&](const auto& id) { return facts.masters.contains(id); });
}

const SlotMark* importing_mark(const store::SlotMarks& marks, const store::ExportId& id) {
  const auto found = std::ranges::find_if(marks.all(), [&](const auto& mark) {
    return mark.kind == SlotMark::Kind::importing && mark.export_id == id;
  });
  return found == marks.all().end() ? nullptr : &*found;
}

/// Throws if the file must not be imported into this store, whatever else is in it.
void judge(const ExportHeader& header, const ImportRequest& request, store::StoreContents& contents) {
  if (header.is_void) throw StoreError("the file is void: its move was given up; export again");
  if (header.kind == ExportHeader::Kind::copy && !request.copy) {
    throw StoreError(
        "its source goes on counting, so both would count the same tokens; export with --hold, or give "
        "--copy if the source will never count again");
  }
  if (is_same_store(header, contents.facts()))
    throw StoreError("the file was exported from this very store; choose another one");
  const auto marks = contents.marks();
  for (const auto& mark : marks.all()) {
    const bool is_other = mark.kind == SlotMark::Kind::held ||
                          (mark.kind == SlotMark::Kind::importing && mark.export_id != header.id);
    if (is_other && (mark.slots & header.slots).any()) {
      throw StoreError("another move of its slots is under way here (export " + to_hex(mark.export_id) +
                       "); finish that first");
    }
  }
}

[[noreturn]] void refuse_strangers(const std::vector<domain::TokenId>& strangers) {
  std::string names;
  for (std::size_t i = 0; i < std::min(strangers.size(), strangers_named); ++i)
    names += " " + to_string(strangers[i]);
  throw StoreError("tokens of the file are here already, and not from this export:" + names +
                   "; nothing was imported");
}

/// Reads all of it, and writes nothing. Returns how many of the tokens are here from this export.
std::uint64_t look_through(ExportReader& file, store::StoreContents& contents, const Progress& progress) {
  std::vector<domain::TokenId> strangers;
  std::uint64_t present = 0;
  for (auto tokens = file.next(); !tokens.empty(); tokens = file.next()) {
    const auto found = contents.find(file.header().id, tokens);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (found[i] == store::Presence::stranger && strangers.size() < strangers_named)
        strangers.push_back(tokens[i].id);
      if (found[i] == store::Presence::of_export) ++present;
    }
    progress(file.totals());
  }
  if (!strangers.empty()) refuse_strangers(strangers);
  return present;
}

void put_all(int descriptor, const std::string& checksum, store::StoreContents& contents,
             const Progress& progress) {
  ExportReader file(descriptor);
  for (auto tokens = file.next(); !tokens.empty(); tokens = file.next()) {
    contents.put(file.header().id, tokens);
    progress(file.totals());
  }
  if (file.checksum() != checksum) throw StoreError("the file has changed meanwhile; import it again");
}

}  // namespace

Exported export_tokens(const MovableStore& store, const ExportRequest& request, int descriptor,
                       const Progress& progress) {
  auto header = request.lost_to ? header_of_lost(store, *request.lost_to) : header_of_slots(store, request);
  const auto facts = store.contents.facts();
  header.store = facts.id;
  header.masters = facts.masters;
  header.time = now_text();
  ExportWriter file(descriptor, header);
  const auto reader = store.contents.read(header.slots);
  for (auto tokens = reader->next(); !tokens.empty(); tokens = reader->next()) {
    file.add(tokens);
    progress(file.totals());
  }
  auto checksum = file.finish();
  return {std::move(header), file.totals(), std::move(checksum)};
}

bool end_hold(const MovableStore& store, const store::ExportId& id) {
  const auto marks = store.contents.marks();
  for (const auto& mark : marks.all()) {
    if (mark.kind != SlotMark::Kind::held || mark.export_id != id) continue;
    store.contents.clear_marks(mark.slots);
    return true;
  }
  return false;
}

Receipt import_tokens(store::StoreContents& contents, const ImportRequest& request, int descriptor,
                      ImportGuard* guard, const Progress& progress) {
  ExportReader file(descriptor);
  const auto& header = file.header();
  judge(header, request, contents);
  const auto present = look_through(file, contents, progress);
  const auto marks = contents.marks();
  const bool is_under_way = importing_mark(marks, header.id) != nullptr;
  const bool is_complete = !is_under_way && present > 0 && present == file.totals().tokens;
  if (present > 0 && !is_under_way && !is_complete)
    throw StoreError("part of this export is here, and no import of it is under way; nothing was imported");
  if (guard != nullptr || !is_complete) {
    const auto gone = (guard != nullptr ? guard->begin(header) : SlotSet{}) | marks.of(SlotMark::Kind::moved);
    if (!is_complete) {
      const auto copies = gone & header.slots;
      if (copies.any() && !is_under_way) {
        contents.set_mark({SlotMark::Kind::moved, header.id, copies});
        contents.remove(copies);
      }
      contents.set_mark({SlotMark::Kind::importing, header.id, header.slots});
      put_all(descriptor, file.checksum(), contents, progress);
      contents.clear_marks(header.slots);
    }
    if (guard != nullptr) guard->end(header);
  }
  const auto facts = contents.facts();
  return {.id = header.id,
          .source = header.store,
          .checksum = file.checksum(),
          .target = name_of(facts.id, facts.masters),
          .totals = file.totals(),
          .loss = contents.what_can_be_lost(),
          .time = now_text()};
}

void drop_tokens(const MovableStore& store, const Receipt& receipt, bool accept_loss) {
  if (!receipt.loss.empty() && !accept_loss) {
    throw StoreError("the target can lose what it was given (" + receipt.loss +
                     "); give --accept-loss if that is accepted");
  }
  const auto facts = store.contents.facts();
  if (facts.masters.empty() && receipt.source != facts.id)
    throw StoreError("the receipt is of another source, the store " + to_hex(receipt.source));
  SlotSet slots;
  const auto marks = store.contents.marks();
  for (const auto& mark : marks.all()) {
    if (mark.kind != SlotMark::Kind::importing && mark.export_id == receipt.id) slots |= mark.slots;
  }
  if (store.record) slots |= store.record->gone;
  if (slots.none()) {
    throw StoreError("nothing is held here for export " + to_hex(receipt.id) +
                     ", or the target has not said yet that it has received it");
  }
  store.contents.set_mark({SlotMark::Kind::moved, receipt.id, slots});
  store.contents.remove(slots);
}

}  // namespace tracker::transfer
