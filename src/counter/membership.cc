#include "counter/membership.h"

#include <algorithm>
#include <utility>

#include "counter/lost_slots.h"

namespace tracker::counter {

namespace {

constexpr std::size_t record_bytes_max = std::size_t{64} * 1024;
/// What an import, and what became of it, may add later.
constexpr std::size_t import_bytes_max = std::size_t{16} * 1024;

bool is_same_table(const CounterList& one, const CounterList& other) {
  return one.version() == other.version() && one.table().fingerprint() == other.table().fingerprint();
}

/// What is here of these slots is a copy.
void note_gone(const domain::SlotSet& slots, PartitionRecord& record) {
  record.gone |= slots;
  record.held &= ~slots;
}

void erase_empty(PartitionRecord::Moves& moves) {
  std::erase_if(moves, [](const auto& move) { return move.second.slots.none(); });
}

/// As long as it is not said otherwise, a counter that owns slots may hold tokens.
void remember_names(const CounterList& list, PartitionRecord& record) {
  for (const auto& entry : list.entries()) {
    if (entry.name != record.name) record.names.insert(entry.name);
    if (!entry.leaving) record.empty_names.erase(entry.name);
  }
}

}  // namespace

Membership::Membership(store::StoreFacts store, std::string name, CounterListPtr list,
                       const domain::SlotSet& held)
    : store_(std::move(store)), record_{.name = std::move(name), .list = std::move(list), .held = held} {
  remember_names(*record_.list, record_);
  settle();
}

Membership::Membership(store::StoreFacts store, PartitionRecord record)
    : store_(std::move(store)), record_(std::move(record)) {}

domain::SlotSet Membership::own(const CounterList& list, const std::string& name) {
  domain::SlotSet own;
  const auto& names = list.table().names();
  const auto number = static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
  for (std::size_t slot = 0; slot < domain::slots; ++slot)
    own[slot] = list.table().owner(static_cast<domain::Slot>(slot)) == number;
  return own;
}

std::optional<std::string> Membership::adopt(const CounterListPtr& list) {
  const auto refused = [&](const std::string& why) {
    return "the list " + list->described() + " is refused: " + why;
  };
  if (list->find(record_.name) == nullptr) return refused("it lacks this counter, " + record_.name);
  if (auto refusal = record_.list->refusal_of(*list)) return refusal;
  for (const auto& name : record_.names) {
    if (list->find(name) == nullptr && !record_.empty_names.contains(name)) {
      return refused(
          "it lacks " + name + ", which may hold tokens; keep it in the list as " + name +
          "=HOST:PORT,leaving until it is known to be empty, or let go of it by `tracker slots forget " +
          name + "`");
    }
  }
  auto record = record_;
  record.list = list;
  record.settled &= own(*list, record.name);
  for (auto& [id, import] : record.coming) {  // the source has not let go what was not received
    const auto lost = import.slots & ~own(*list, record.name);
    note_gone(lost, record);
    import.slots &= ~lost;
  }
  erase_empty(record.coming);
  remember_names(*list, record);
  if (record.to_string().size() > record_bytes_max) return refused("it knows too many names");
  record_ = std::move(record);
  std::erase_if(said_, [&](const auto& said) { return list->find(said.first) == nullptr; });
  for (const auto& [name, facts] : said_) {
    learn(name, facts);
    resolve(facts);
  }
  settle();
  return std::nullopt;
}

std::optional<std::string> Membership::begin_import(const Import& import) {
  if (const auto others = import.slots & ~own(*record_.list, record_.name); others.any()) {
    return std::to_string(others.count()) + " of its slots are not this counter's, " + record_.name +
           ", by the list " + record_.list->described();
  }
  if (const auto gone = import.slots & record_.gone & ~record_.held; gone.any() && !import.is_lost) {
    return "tokens of " + std::to_string(gone.count()) +
           " of its slots had moved away from here; import them from the counter that has them, or, if that "
           "is lost, let go of it first by `tracker slots forget NAME`";
  }
  if (record_.received.contains(import.id)) return std::nullopt;  // once more
  for (const auto& [id, other] : record_.received) {
    if ((other.slots & import.slots).any())
      return "an earlier import of its slots is not settled yet; wait until the counter that it came from is "
             "reached";
  }
  auto record = record_;
  if (import.is_lost) {
    for (auto& [id, other] : record.coming) {
      if (id == import.id) continue;
      const auto replaced = other.slots & import.slots;
      note_gone(replaced, record);
      other.slots &= ~replaced;
    }
    erase_empty(record.coming);
    const auto coming = import.slots & ~record.held & ~record.settled;
    if (coming.any()) record.coming[import.id] = {import.source, record.coming[import.id].slots | coming};
  }
  record.held |= import.slots;
  if (record.to_string().size() > record_bytes_max - import_bytes_max)
    return "too many imports are under way; wait until their slots are settled";
  record_ = std::move(record);
  return std::nullopt;
}

std::optional<std::string> Membership::end_import(const Import& import) {
  const auto coming = record_.coming.find(import.id);
  const auto arrived = coming == record_.coming.end() ? domain::SlotSet{} : coming->second.slots;
  const bool are_own = (import.slots & ~own(*record_.list, record_.name)).none();
  if (import.is_lost && (!are_own || (import.slots & record_.gone & ~arrived).any()))
    return "the list of counters has changed meanwhile; export again by the new list";
  if (arrived.none()) return std::nullopt;
  record_.gone &= ~arrived;
  record_.received[import.id] = coming->second;
  record_.coming.erase(coming);
  settle();
  return std::nullopt;
}

/// A counter says which of its tokens are copies. If it has the same list as this one, what was received from it by an
/// earlier list will not be let go any more.
void Membership::resolve(const CounterFacts& facts) {
  if (!facts.store || !facts.adopted || !is_same_table(*facts.adopted, *record_.list)) return;
  const auto its_own = own(*record_.list, record_.name);
  for (auto& [id, import] : record_.received) {
    if (import.other != facts.store->id || id == lost_export_id(import.other, *record_.list, record_.name))
      continue;
    const auto handed = facts.handed.find(id);
    const auto copies = handed == facts.handed.end() ? import.slots : import.slots & ~handed->second;
    note_gone(copies, record_);
    import.slots &= ~copies & its_own;
  }
  erase_empty(record_.received);
}

void Membership::on_peer(const std::string& name, const CounterFacts& facts) {
  if (name == record_.name || record_.list->find(name) == nullptr) return;
  said_.insert_or_assign(name, facts);
  learn(name, facts);
  let_go(name, facts);
  forget_handed(facts);
  resolve(facts);
  settle();
}

/// The counter has received what it was to have from here.
void Membership::let_go(const std::string& name, const CounterFacts& facts) {
  if (!facts.store) return;
  const auto received = facts.received.find(lost_export_id(store_.id, *record_.list, name));
  if (received == facts.received.end()) return;
  const auto lost = lost_slots(record_);
  const auto its = lost.find(name);
  if (its == lost.end()) return;
  const auto gone = its->second & received->second;
  note_gone(gone, record_);
  record_.handed[received->first] = {facts.store->id, record_.handed[received->first].slots | gone};
}

/// What a counter does not name as received any more is settled there, or found to be a copy.
void Membership::forget_handed(const CounterFacts& facts) {
  if (!facts.store || !facts.adopted || !is_same_table(*facts.adopted, *record_.list)) return;
  std::erase_if(record_.handed, [&](const auto& handed) {
    return handed.second.other == facts.store->id && !facts.received.contains(handed.first);
  });
}

const CounterFacts* Membership::said_by(const std::string& name) const {
  const auto said = said_.find(name);
  return said == said_.end() ? nullptr : &said->second;
}

/// Remembers the name, binds it to its store, and notes whether the counter is empty.
void Membership::learn(const std::string& name, const CounterFacts& facts) {
  if (facts.owns_every_token || facts.name != name) return;
  record_.names.insert(name);  // again, if it was forgotten
  if (facts.store && facts.store->is_lasting && !record_.bound.contains(name)) {
    const bool is_taken = std::ranges::any_of(
        record_.bound, [&](const auto& bound) { return bound.second == facts.store->id; });
    if (!is_taken && facts.store->id != store_.id) record_.bound.emplace(name, facts.store->id);
  }
  const bool owns_nothing = record_.list->find(name)->leaving;
  if (!owns_nothing || !facts.adopted || !is_same_table(*facts.adopted, *record_.list)) return;
  if (facts.held.any()) {
    record_.empty_names.erase(name);
  } else if (!doubt_of_store(name, facts)) {
    record_.empty_names.insert(name);
  }
}

/// Returns why this is not the store of the name, if so.
std::optional<std::string> Membership::doubt_of_store(const std::string& name,
                                                      const CounterFacts& facts) const {
  if (!facts.store) return "has not said which store it counts in";
  const auto bound = record_.bound.find(name);
  if (bound != record_.bound.end()) {
    if (bound->second == facts.store->id) return std::nullopt;
    return "counts in another store than before; restore that, or let go of it by `tracker slots forget " +
           name + "` here";
  }
  for (const auto& [other, id] : record_.bound) {
    if (id == facts.store->id) {
      return "counts in the store of " + other +
             "; correct its --name, or let go of that by `tracker slots forget " + other + "` here";
    }
  }
  return std::nullopt;
}

Membership::Forgotten Membership::forget(const std::string& name, const domain::SlotSet& emptied) {
  const auto given_up = given_up_slots(record_, name) & emptied;
  record_.empty_names.erase(name);
  Forgotten forgotten{.name = record_.names.erase(name) > 0};
  const auto bound = record_.bound.extract(name);
  if (!forgotten.name && bound.empty()) return forgotten;
  forgotten.slots = given_up;
  record_.gone &= ~given_up;
  record_.held &= ~given_up;
  for (auto& [id, import] : record_.coming) import.slots &= ~given_up;
  erase_empty(record_.coming);
  if (bound.empty()) {
    settle();
    return forgotten;
  }
  forgotten.store = true;
  // It will not say any more whether it has let them go.
  std::erase_if(record_.received, [&](const auto& import) { return import.second.other == bound.mapped(); });
  // A counter that has come back with another store, or with this one under another name, does not say so again.
  for (const auto& [its, facts] : said_) {
    if (facts.store && (its == name) != (facts.store->id == bound.mapped())) learn(its, facts);
  }
  settle();
  forgotten.name = forgotten.name && !record_.names.contains(name);
  return forgotten;
}

void Membership::settle() {
  auto unsettled = own(*record_.list, record_.name) & ~record_.settled & ~record_.gone;
  for (const auto& [id, import] : record_.coming) unsettled &= ~import.slots;
  if (unsettled.none() || trouble()) return;
  for (const auto& entry : record_.list->entries()) {
    if (entry.name == record_.name) continue;
    if (obstacle(entry)) return;
    unsettled &= ~said_by(entry.name)->held;
  }
  record_.settled |= unsettled;
  for (auto& [id, import] : record_.received) import.slots &= ~unsettled;
  erase_empty(record_.received);
}

std::optional<std::string> Membership::trouble() const {
  for (const auto& [name, facts] : said_) {
    if (!store_.is_lasting) break;
    if (facts.store && facts.store->id == store_.id) {
      return "counter " + name +
             " counts in the same store as this one; leave --peers away, and the counters share the store, "
             "or give each a store of its own";
    }
    if (const auto bound = facts.bound.find(record_.name);
        bound != facts.bound.end() && bound->second != store_.id) {
      return "counter " + name + " knows another store by the name of " + record_.name +
             "; restore it, or let go of it by `tracker slots forget " + record_.name + "` at " + name;
    }
  }
  return std::nullopt;
}

/// Returns why nothing can settle because of this counter.
std::optional<std::string> Membership::obstacle(const CounterList::Entry& peer) const {
  const auto who = "counter " + peer.name + " at " + runtime::to_string(peer.address);
  const auto* facts = said_by(peer.name);
  if (facts == nullptr) return who + " has not been reached since this counter's list gave it new slots";
  if (facts->owns_every_token) return who + " owns every token; start it with the same --peers";
  if (facts->name != peer.name) return who + " is " + facts->name + " by its own --name; correct one of them";
  if (!facts->adopted) return who + " has not adopted a list yet";
  if (!is_same_table(*facts->adopted, *record_.list)) {
    return who + " has another list, " + facts->adopted->described() + ", than this counter, " +
           record_.list->described() + "; give both the same";
  }
  if (auto doubt = doubt_of_store(peer.name, *facts)) return who + ' ' + *doubt;
  if (auto words = obstacle_of_names(*facts); !words.empty()) return who + ' ' + words;
  if (!store_.is_lasting) return std::nullopt;
  const auto bound = facts->bound.find(record_.name);
  if (bound == facts->bound.end()) {
    for (const auto& [name, id] : facts->bound) {
      if (id == store_.id) {
        return who + " knows this counter's store as that of " + name + "; start it with --name " + name +
               ", or let go of that by `tracker slots forget " + name + "` at " + peer.name;
      }
    }
    return who + " has not noted this counter's store yet";
  }
  return std::nullopt;
}

/// Returns words about a counter that `facts` remember, that is not in the list, and that may hold tokens. That this
/// counter knew it to be empty is no proof: it may have owned slots since, beside those who remember it.
std::string Membership::obstacle_of_names(const CounterFacts& facts) const {
  for (const auto& name : facts.names) {
    if (record_.list->find(name) == nullptr && name != record_.name && !facts.empty_names.contains(name)) {
      return "has counted beside " + name + ", which may hold tokens and is not in the list";
    }
  }
  return "";
}

std::vector<std::string> Membership::obstacles() const {
  std::vector<std::string> words;
  const auto unsettled = own(*record_.list, record_.name) & ~record_.settled;
  if (unsettled.none()) return words;
  for (const auto& entry : record_.list->entries()) {
    if (entry.name == record_.name) continue;
    if (auto its = obstacle(entry)) {
      words.push_back(std::move(*its));
    } else if (const auto held = said_by(entry.name)->held & unsettled; held.any()) {
      words.push_back("counter " + entry.name + " holds tokens of " + std::to_string(held.count()) +
                      " slots that are this counter's by the list; move them: tracker export --slots lost:" +
                      record_.name + " there, and tracker import here");
    }
  }
  if (const auto gone = record_.gone & unsettled; gone.any()) {
    words.push_back("tokens of " + std::to_string(gone.count()) +
                    " slots had moved away, and have not come back; import them from the counter that has "
                    "them, or, if that is lost, let go of it by `tracker slots forget NAME`");
  }
  return words;
}

}  // namespace tracker::counter
