#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "counter/counter_facts.h"
#include "counter/counter_list.h"
#include "counter/partition_record.h"
#include "domain/slot.h"

namespace tracker::counter {

/// Decides in which slots one of several counters may count: those that are its own by the list that it has adopted, and
/// that are settled. Pure: what the operator, the store and the other counters say goes in; the record that must be
/// durable comes out. Not synchronised. Invariants:
/// 1. A slot becomes settled only when every other counter of the list has durably adopted the same list, and so applies
///    no hit in the slot any more, and has said that it holds no token of the slot.
/// 2. A slot that is settled stays so while it is this counter's own by each list that is adopted.
/// 3. No list with a lower version than before is adopted, nor one with the same version and other owners, nor one that
///    lacks a counter that may hold tokens.
/// 4. Tokens that have moved are counted at one counter: at their source until it has durably noted that they are gone, and
///    nowhere else before that. The copy that stays is never counted again: its slot settles only after an import, or once
///    the copy is removed. Only the source knows whether what was received is such a copy. Until it has said so by the
///    same list, what was received is held, and not moved on.
/// 5. A name belongs to the store that was first seen under it, until it is forgotten. While another counter
///    knows this one's name by another store, nothing is counted here. While it knows this one's store by another name, or
///    counts in a store that is not its own name's, nothing settles here.
class Membership {
 public:
  /// `store` is this counter's own. `record` is what the store has kept; nothing: it has never counted as one of several,
  /// and holds tokens of the slots `held`.
  Membership(store::StoreFacts store, std::string name, CounterListPtr list, const domain::SlotSet& held);
  Membership(store::StoreFacts store, PartitionRecord record);

  /// Adopts a list that has this counter's name. Returns why not, if it is refused. Then nothing has changed.
  std::optional<std::string> adopt(const CounterListPtr& list);

  /// The counter that the list calls `name` says this of itself.
  void on_peer(const std::string& name, const CounterFacts& facts);

  /// Its first tokens are to be minted in these slots.
  void hold(const domain::SlotSet& slots) { record_.held |= slots; }

  /// Tokens that come from another store.
  struct Import {
    store::ExportId id{};
    store::StoreFacts::Id source{};
    domain::SlotSet slots = {};
    /// The list has given the slots to this counter, and the source is the store of another one.
    bool is_lost = false;
  };
  /// They are about to be imported. Returns why not, if they must not be. Then nothing has changed.
  std::optional<std::string> begin_import(const Import& import);
  /// They are all there, durably. Returns why they will not count here, if so.
  std::optional<std::string> end_import(const Import& import);

  /// What was known of a name.
  struct Forgotten {
    bool name = false;           // that it may hold tokens: a list without it was refused
    bool store = false;          // which store is its own: another one was refused
    domain::SlotSet slots = {};  // those of `emptied`: their tokens are elsewhere, or were there
  };
  /// Forgets both. They are remembered again when the counter says something new, or when a list that has it is adopted. A
  /// counter that has come back with another store is remembered with that at once: then only its former store is forgotten.
  /// `emptied`: those of given_up_slots() of which the store holds nothing any more. They settle once nobody else does.
  Forgotten forget(const std::string& name, const domain::SlotSet& emptied = {});

  /// What must be durable before it is acted upon.
  const PartitionRecord& record() const noexcept { return record_; }

  /// Why this counter must count nothing at all, if so.
  std::optional<std::string> trouble() const;

  /// Why slots of its own are not settled, one sentence for each reason. Empty: all are.
  std::vector<std::string> obstacles() const;

  /// The slots that are its own by a list.
  static domain::SlotSet own(const CounterList& list, const std::string& name);

 private:
  void settle();
  std::optional<std::string> obstacle(const CounterList::Entry& peer) const;
  std::string obstacle_of_names(const CounterFacts& facts) const;
  void learn(const std::string& name, const CounterFacts& facts);
  void let_go(const std::string& name, const CounterFacts& facts);
  void forget_handed(const CounterFacts& facts);
  void resolve(const CounterFacts& facts);
  std::optional<std::string> doubt_of_store(const std::string& name, const CounterFacts& facts) const;
  const CounterFacts* said_by(const std::string& name) const;

  const store::StoreFacts store_;
  PartitionRecord record_;
  std::map<std::string, CounterFacts> said_;  // by the names of the list, as they were last heard
};

}  // namespace tracker::counter
