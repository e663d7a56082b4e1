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

/// Throws if another move of these slots is under way here.
void refuse_other_moves(const store::SlotMarks& marks, const SlotSet& slots, SlotMark::Kind kind) {
  for (const auto& mark : marks.all()) {
    if (mark.kind != kind || (mark.slots & slots).none()) continue;
    throw StoreError(
        kind == SlotMark::Kind::held
            ? "some of these slots are held for export " + to_hex(mark.export_id) +
                  "; finish that move, or end it by tracker export --unhold, or export the same slots: " +
                  slots_text(mark.slots)
            : "an import into some of these slots is under way (export " + to_hex(mark.export_id) +
                  "); run it again to its end first");
  }
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
  const auto marks = store.contents.marks();
  refuse_other_moves(marks, its->second, SlotMark::Kind::importing);
  refuse_other_moves(marks, its->second, SlotMark::Kind::held);
  return {.kind = ExportHeader::Kind::lost,
          .id = counter::lost_export_id(store.contents.facts().id, *record.list, owner),
          .slots = its->second,
          .owner = owner,
          .list_version = record.list->version(),
          .list_fingerprint = record.list->table().fingerprint()};
}

/// Holds the slots, if that is asked for. If they are held already, the export is the one that they are held for.
ExportHeader header_of_slots(const MovableStore& store, const ExportRequest& request) {
  const auto moved = moved_slots(store);
  ExportHeader header{.id = new_id(), .slots = request.slots.value_or(SlotSet{}.set()) & ~moved};
  if (header.slots.none()) throw StoreError("the tokens of these slots have moved to another store");
  const auto marks = store.contents.marks();
  refuse_other_moves(marks, header.slots, SlotMark::Kind::importing);
  for (const auto& mark : marks.all()) {
    if (mark.kind != SlotMark::Kind::held || (mark.slots & ~moved) != header.slots) continue;
    header.kind = ExportHeader::Kind::held;
    header.id = mark.export_id;
    return header;
  }
  refuse_other_moves(marks, header.slots, SlotMark::Kind::held);
  if (!request.hold) return header;
  header.kind = ExportHeader::Kind::held;
  store.contents.set_mark({SlotMark::Kind::held, header.id, header.slots});
  return header;
}

bool is_same_store(const ExportHeader& header, const store::StoreFacts& facts) {
  if (facts.masters.empty()) return header.masters.empty() && header.store == facts.id;
  return std::ranges::any_of(header.masters, [&](const auto& id) { return facts.masters.contains(id); });
}

/// Throws if the file must not be imported into this store, whatever else is in it.
void judge(const ExportHeader& header, const ImportRequest& request, store::StoreContents& contents,
           bool has_guard) {
  if (header.is_void) throw StoreError("the file is void: its move was given up; export again");
  if (header.kind == ExportHeader::Kind::copy && !request.copy) {
    throw StoreError(
        "its source goes on counting, so both would count the same tokens; export with --hold, or give "
        "--copy if the source will never count again");
  }
  if (header.kind == ExportHeader::Kind::lost && !has_guard) {
    throw StoreError("its slots are those of counter " + header.owner +
                     " by a list of counters; import it there, by the --admin-socket of that counter");
  }
  if (is_same_store(header, contents.facts()))
    throw StoreError("the file was exported from this very store; choose another one");
  refuse_other_moves(contents.marks(), header.slots, SlotMark::Kind::held);
}

/// What an import of another file has left in these slots.
SlotSet unfinished_slots(const store::SlotMarks& marks, const ExportHeader& header) {
  SlotSet slots;
  for (const auto& mark : marks.all()) {
    if (mark.kind == SlotMark::Kind::importing && mark.export_id != header.id &&
        (mark.slots & header.slots).any())
      slots |= mark.slots;
  }
  return slots;
}

[[noreturn]] void refuse_strangers(const std::vector<domain::TokenId>& strangers) {
  std::string names;
  for (std::size_t i = 0; i < std::min(strangers.size(), strangers_named); ++i)
    names += " " + to_string(strangers[i]);
  throw StoreError("tokens of the file are here already, and not from this export:" + names +
                   "; nothing was imported");
}

struct LookedThrough {
  std::uint64_t present = 0;           // how many of the tokens are here from this export
  std::vector<std::string> checksums;  // after each page
};

/// Reads all of it, and writes nothing. `copies`: slots whose tokens will be removed first.
LookedThrough look_through(ExportReader& file, store::StoreContents& contents, const SlotSet& copies,
                           const Progress& progress) {
  std::vector<domain::TokenId> strangers;
  LookedThrough looked;
  for (auto tokens = file.next(); !tokens.empty(); tokens = file.next()) {
    looked.checksums.push_back(file.checksum_so_far());
    const auto found = contents.find(file.header().id, tokens);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (copies[domain::slot_of(tokens[i].id)]) continue;
      if (found[i] == store::Presence::stranger && strangers.size() < strangers_named)
        strangers.push_back(tokens[i].id);
      if (found[i] == store::Presence::of_export) ++looked.present;
    }
    progress(file.totals());
  }
  if (!strangers.empty()) refuse_strangers(strangers);
  return looked;
}

/// Writes only what was looked through.
void put_all(int descriptor, const LookedThrough& looked, store::StoreContents& contents,
             const Progress& progress) {
  ExportReader file(descriptor);
  std::size_t page = 0;
  for (auto tokens = file.next(); !tokens.empty(); tokens = file.next(), ++page) {
    if (page >= looked.checksums.size() || file.checksum_so_far() != looked.checksums[page])
      throw StoreError("the file has changed meanwhile; import it again as it was");
    contents.put(file.header().id, tokens);
    progress(file.totals());
  }
}

/// `copies`: slots whose tokens are removed first.
void write_all(store::StoreContents& contents, const ExportHeader& header, int descriptor,
               const LookedThrough& looked, const SlotSet& copies, const Progress& progress) {
  if (copies.any()) {
    contents.set_mark({SlotMark::Kind::moved, header.id, copies});
    contents.remove(copies);
  }
  const SlotMark mark{SlotMark::Kind::importing, header.id, header.slots};
  contents.set_mark(mark);
  put_all(descriptor, looked, contents, progress);
  const auto marks = contents.marks().all();
  if (std::ranges::find(marks, mark) == marks.end())
    throw StoreError(
        "another command has moved tokens of these slots meanwhile; look at /readyz, and import again");
  contents.clear_marks(header.slots);
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

bool is_held_for(const MovableStore& store, const store::ExportId& id) {
  return std::ranges::any_of(store.contents.marks().all(), [&](const auto& mark) {
    return mark.kind == SlotMark::Kind::held && mark.export_id == id;
  });
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
  judge(header, request, contents, guard != nullptr);
  if (const auto unfinished = unfinished_slots(contents.marks(), header); unfinished.any()) {
    if (!request.discard_unfinished) {
      throw StoreError(
          "an import of another file into some of its slots is under way, or was interrupted; run that one "
          "to its "
          "end, or give --discard-unfinished if it does not run any more");
    }
    contents.remove(unfinished);
    contents.clear_marks(unfinished);
  }
  const auto marks = contents.marks();
  SlotSet copies;
  if (!marks.is_importing(header.id)) {  // otherwise they are removed already
    copies = marks.of(SlotMark::Kind::moved);
    if (guard != nullptr) copies |= guard->copies(header);
    copies &= header.slots;
  }
  const bool was_imported = contents.has_imported(header.id);
  const auto looked = look_through(file, contents, was_imported ? SlotSet{} : copies, progress);
  if (was_imported && looked.present != file.totals().tokens) {
    throw StoreError(
        "this export has been imported here before, and its tokens have moved on since; nothing was "
        "imported");
  }
  if (guard != nullptr) guard->begin(header);
  if (!was_imported) write_all(contents, header, descriptor, looked, copies, progress);
  if (guard != nullptr) guard->end(header);
  const auto facts = contents.facts();
  return {.id = header.id,
          .source = header.store,
          .slots = header.slots,
          .checksum = file.checksum(),
          .target = name_of(facts.id, facts.masters),
          .totals = file.totals(),
          .loss = contents.what_can_be_lost(),
          .time = now_text()};
}

void empty_slots(store::StoreContents& contents, const SlotSet& slots) {
  const auto marks = contents.marks();
  for (const auto& mark : marks.all()) {
    if (mark.kind != SlotMark::Kind::importing || (mark.slots & slots).none()) continue;
    contents.remove(mark.slots);
    contents.clear_marks(mark.slots);
  }
  contents.set_mark({SlotMark::Kind::moved, {}, slots});
  contents.remove(slots);
  contents.clear_marks(slots);
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
  if (store.record) slots |= store.record->gone & receipt.slots;
  if (slots.none()) {
    throw StoreError("nothing is held here for export " + to_hex(receipt.id) +
                     ", or the target has not said yet that it has received it");
  }
  store.contents.set_mark({SlotMark::Kind::moved, receipt.id, slots});
  store.contents.remove(slots);
}

}  // namespace tracker::transfer
