#include "store/rocksdb/rocksdb_token_keeper.h"

#include <chrono>
#include <string>
#include <vector>

#include "store/rocksdb/removal.h"
#include "store/rocksdb/token_entries.h"

namespace tracker::store::rocksdb {

namespace {

using Edited = Committer::Edited;

/// That a step of sweep() looks at.
constexpr int step_tokens = 256;
/// After which a step removes no further token.
constexpr auto step_time = std::chrono::milliseconds(5);

}  // namespace

std::optional<domain::TokenRecord> RocksDbTokenKeeper::change(const domain::TokenId& id,
                                                              const TokenChange& change) {
  return committer_.edit(id, [&](domain::TokenRecord& record) {
    const auto before = record;
    apply(change, rules_.now_s(), record);
    return record == before ? Edited::unchanged : Edited::changed;
  });
}

bool RocksDbTokenKeeper::purge(const domain::TokenId& id, domain::Seconds retain_s) {
  bool is_outdated = false;
  const auto record = committer_.edit(id, [&](domain::TokenRecord& its) {
    is_outdated = domain::is_outdated(its, rules_.now_s(), retain_s);
    if (!is_outdated) return Edited::unchanged;
    its.revoked_s = 1;  // so long ago that a sweep removes what is left of it, if this is interrupted
    return Edited::changed;
  });
  if (!record) return true;
  if (!is_outdated) return false;
  remove_counts(id);
  committer_.edit(id, [](domain::TokenRecord& /*record*/) { return Edited::removed; });
  return true;
}

void RocksDbTokenKeeper::remove_counts(const domain::TokenId& id) {
  const auto slot = domain::slot_of(id);
  TokenEntries tokens(database_, domain::SlotSet{}.set(slot), id);
  if (!tokens.next() || tokens.id() != id) return;
  Removal removal(committer_, slot);
  const std::string prefix(key_of(id));
  tokens.take([&](std::string_view path, std::int64_t /*count*/) {
    removal.add(prefix + std::string(path));
    if (removal.is_full()) removal.flush(0);
  });
  removal.flush(0);
}

TokenKeeper::Swept RocksDbTokenKeeper::sweep(const domain::SlotSet& slots, domain::Seconds retain_s) {
  const auto marks = committer_.moves().marks;
  const auto swept = slots & ~marks.stopped() & ~marks.of(SlotMark::Kind::importing);
  const auto now_s = rules_.now_s();
  std::vector<domain::TokenId> outdated;
  {
    TokenEntries tokens(database_, swept, swept_to_.value_or(domain::TokenId{}));
    std::optional<domain::TokenId> next;
    try {
      for (int looked_at = 0; tokens.next(); tokens.skip()) {
        if (looked_at++ == step_tokens) {
          next = tokens.id();
          break;
        }
        if (domain::is_outdated(tokens.value().record, now_s, retain_s)) outdated.push_back(tokens.id());
      }
    } catch (const DamageError&) {
      swept_to_ = domain::next_id(tokens.id());  // goes on behind it
      throw;
    }
    swept_to_ = next;
  }
  const auto begin = std::chrono::steady_clock::now();
  std::size_t removed = 0;
  for (const auto& id : outdated) {
    if (removed > 0 && std::chrono::steady_clock::now() - begin > step_time) {
      swept_to_ = id;
      break;
    }
    try {
      removed += purge(id, retain_s) ? 1 : 0;
    } catch (const HeldError&) {
      // a move of its slot has begun meanwhile
    }
  }
  return {.removed = removed, .is_end = !swept_to_};
}

}  // namespace tracker::store::rocksdb
