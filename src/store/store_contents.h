#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "domain/slot.h"
#include "domain/token_id.h"
#include "domain/token_record.h"
#include "store/slot_marks.h"
#include "store/store_facts.h"

namespace tracker::store {

struct StoredCount {
  std::string path;
  std::int64_t count = 0;

  bool operator==(const StoredCount&) const = default;
};

/// A token with everything that a store keeps of it. A value.
struct StoredToken {
  domain::TokenId id{};
  domain::TokenRecord record = {};       // `paths` is not kept, but known from the counts
  std::vector<StoredCount> counts = {};  // in the order of the paths' bytes

  bool operator==(const StoredToken&) const = default;
};

/// Whether a store has a token.
enum class Presence : std::uint8_t {
  absent,
  of_export,  // it came from the export in question
  stranger,   // it came otherwise
};

/// Goes through the tokens of a store in the order of their ids.
class TokenReader {
 public:
  virtual ~TokenReader() = default;

  /// Returns the next tokens: up to about 1 MiB of them, and always whole ones. Empty: there are no more. Blocks. Throws
  /// StoreError.
  virtual std::vector<StoredToken> next() = 0;
};

/// The contents of a store, for commands that read or move tokens. It stands beside CounterStore, and disturbs counting
/// little. All calls block, and throw StoreError. One thread at a time, which is no worker's.
class StoreContents {
 public:
  virtual ~StoreContents() = default;

  /// Which store this is, and its record.
  virtual StoreFacts facts() = 0;

  /// In plain words, what the store can lose of what was written. Empty: nothing.
  virtual std::string what_can_be_lost() = 0;

  /// Reads the tokens of the slots, but not those of moved slots, nor those of an import under way. Each token is of one
  /// moment, and nothing is missed that was answered before the call. In held slots, nothing of a token is counted after
  /// it was read.
  virtual std::unique_ptr<TokenReader> read(const domain::SlotSet& slots) = 0;

  virtual SlotMarks marks() = 0;

  /// Gives the slots of `mark` that mark, in place of those they have. On return it is as durable as a count, and everything
  /// that is counted from then on is counted by it.
  virtual void set_mark(const SlotMark& mark) = 0;

  /// Takes the marks of these slots away. Their tokens count again, or for the first time.
  virtual void clear_marks(const domain::SlotSet& slots) = 0;

  /// Whether tokens of this export were imported here before, and their import is not under way any more. It stays so, whatever
  /// becomes of the tokens.
  virtual bool has_imported(const ExportId& export_id) = 0;

  /// Which of these tokens the store has already.
  virtual std::vector<Presence> find(const ExportId& export_id, std::span<const StoredToken> tokens) = 0;

  /// Adds tokens of an import, whose slots have the mark `importing`. Each becomes part of the store in one step. A token
  /// that came from this export before is left as it is. On return they are as durable as counts. Throws if there is a
  /// stranger.
  virtual void put(const ExportId& export_id, std::span<const StoredToken> tokens) = 0;

  /// Removes the tokens of slots that are held or moved. In slots with the mark `importing`, removes those that the import
  /// has put there.
  virtual void remove(const domain::SlotSet& slots) = 0;
};

}  // namespace tracker::store
