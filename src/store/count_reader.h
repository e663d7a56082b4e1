#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/slot.h"
#include "domain/token_id.h"
#include "domain/token_record.h"
#include "store/store_contents.h"
#include "store/store_error.h"

namespace tracker::store {

/// A token without its counts.
struct TokenSummary {
  domain::TokenId id{};
  domain::TokenRecord record = {};
  std::uint64_t paths = 0;
  std::int64_t total = 0;  // of the counts of all paths

  bool operator==(const TokenSummary&) const = default;
};

/// Which counts of a token are wanted.
struct CountsQuery {
  std::string prefix = {};  // of the paths
  std::string after = {};   // only paths behind this one, in the order of their bytes
  std::size_t limit = 0;
};

/// Some counts of a token.
struct TokenCounts {
  domain::TokenRecord record = {};
  std::vector<StoredCount> counts = {};  // in the order of the paths' bytes
  bool is_more = false;                  // there are others behind them

  bool operator==(const TokenCounts&) const = default;
};

/// The store, or how it is reached, cannot do what was asked. It says why.
class UnsupportedError : public StoreError {
 public:
  using StoreError::StoreError;
};

/// What find() and read() throw of a token whose slot has moved.
class MovedError : public StoreError {
 public:
  MovedError() : StoreError("this token has moved to another store; ask the counter there") {}
};

/// Reads tokens and counts of a store while others count in it, and changes nothing. A reading sees every count that was
/// answered before it was asked for. It sees no tokens of moved slots, nor those of an import under way. It
/// sees tokens that have ended.
///
/// All calls block, and throw StoreError. One thread at a time, which is no worker's. Several readers may read at once.
class CountReader {
 public:
  virtual ~CountReader() = default;

  /// Returns the next tokens of the slots behind `after`, in the order of their ids: as many as a short step finds, at most
  /// `limit`, and at least one. Empty: there are no more.
  virtual std::vector<TokenSummary> list(const domain::SlotSet& slots,
                                         const std::optional<domain::TokenId>& after, std::size_t limit) = 0;

  /// Nothing: there is no such token.
  virtual std::optional<TokenSummary> find(const domain::TokenId& id) = 0;

  virtual SlotMarks marks() = 0;
  /// The mark of one slot. Nothing: it has none.
  virtual std::optional<SlotMark::Kind> mark_of(domain::Slot slot) {
    const auto all = marks();
    const auto* mark = all.of(slot);
    return mark == nullptr ? std::nullopt : std::optional(mark->kind);
  }

  /// Returns the first counts that the query wants: at most 1 MiB of them. Nothing: there is no such token.
  virtual std::optional<TokenCounts> read(const domain::TokenId& id, const CountsQuery& query) = 0;
};

}  // namespace tracker::store
