#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

#include "domain/slot.h"
#include "domain/token_id.h"
#include "domain/token_record.h"
#include "store/store_error.h"

namespace tracker::store {

/// What becomes of a token's record. What is not given stays.
struct TokenChange {
  std::optional<std::string> label = {};
  std::optional<domain::Seconds> expires_s = {};  // 0: never
  std::optional<domain::Seconds> idle_s = {};     // 0: never
  bool revokes = false;                           // it stays revoked for ever
};

inline void apply(const TokenChange& change, domain::Seconds now_s, domain::TokenRecord& record) {
  if (change.label) record.label = *change.label;
  if (change.expires_s) record.expires_s = *change.expires_s;
  if (change.idle_s.value_or(0) != 0) {
    // Its last use may be later than is noted, by a step of the limit so far. Of a token of an earlier version nobody knows it.
    const bool is_known = record.used_s != 0 || record.paths;
    if (!is_known) record.used_s = now_s;
    if (record.used_s != 0) record.used_s = std::min(now_s, record.used_s + used_step(record));
  }
  if (change.idle_s) record.idle_s = *change.idle_s;
  if (change.revokes && record.revoked_s == 0) record.revoked_s = std::max<domain::Seconds>(now_s, 1);
}

/// What change() and purge() throw of a token whose slot is held, has moved, or is being imported.
class HeldError : public StoreError {
 public:
  HeldError() : StoreError("the tokens of this slot are being moved; ask again when the move has ended") {}
};

/// Changes and removes tokens of a store while others count in it. It stands beside CounterStore, and disturbs counting
/// little. All calls block, and throw StoreError. One thread at a time, which is no worker's.
class TokenKeeper {
 public:
  virtual ~TokenKeeper() = default;

  /// Returns the record as it is now, as durable as a count. Nothing: there is no such token. No hit that is sent after
  /// that is counted by the record of before. A token that has expired comes to life again if its times are changed so.
  virtual std::optional<domain::TokenRecord> change(const domain::TokenId& id, const TokenChange& change) = 0;

  /// Removes the token and its counts if it is outdated (domain::is_outdated()). Returns whether the store has no such token
  /// now.
  virtual bool purge(const domain::TokenId& id, domain::Seconds retain_s) = 0;

  /// What a step of sweep() did.
  struct Swept {
    std::size_t removed = 0;  // tokens
    bool is_end = false;      // every token was looked at; the next step begins anew
  };
  /// Looks at the next tokens of these slots, and purges those that are outdated. A step takes a few milliseconds, or as long
  /// as it takes to remove one token. Leaves tokens alone of slots that are held, have moved, or are being imported.
  virtual Swept sweep(const domain::SlotSet& slots, domain::Seconds retain_s) = 0;
};

}  // namespace tracker::store
