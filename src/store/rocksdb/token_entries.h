#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "domain/slot.h"
#include "domain/token_id.h"
#include "store/rocksdb/database.h"
#include "store/rocksdb/stored_values.h"

namespace tracker::store::rocksdb {

/// The first bytes of the keys of a token. They belong to `id`.
inline std::string_view key_of(const domain::TokenId& id) noexcept {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

/// The token of such a key.
inline domain::TokenId id_in(std::string_view key) noexcept {
  domain::TokenId id{};
  std::copy_n(key.data(), id.bytes.size(), reinterpret_cast<char*>(id.bytes.data()));
  return id;
}

/// Goes through the tokens of some slots, from entry to entry.
class TokenEntries {
 public:
  /// Begins with the first token whose id is not below `first`. Throws StoreError, as all below.
  TokenEntries(Database& database, const domain::SlotSet& slots, const domain::TokenId& first = {})
      : slots_(slots), entries_(database.entries()) {
    entries_->seek(key_of(first));
  }

  /// Goes to the next token. Returns false if there is none. Call it first.
  bool next() {
    for (; entries_->is_valid(); skip()) {
      const auto key = entries_->key();
      if (key.size() < id_.bytes.size()) continue;  // the store's own
      id_ = id_in(key);
      if (!slots_[domain::slot_of(id_)]) continue;
      value_ = key.size() == id_.bytes.size() ? entries_->token_value() : TokenValue{};
      return true;
    }
    return false;
  }
  // The token that next() went to.
  const domain::TokenId& id() const noexcept { return id_; }
  const TokenValue& value() const noexcept { return value_; }

  /// Calls `entry` with each path of the token and its count, and goes behind them.
  template <typename Entry>
  void take(Entry entry) {
    for (; entries_->is_valid() && entries_->key().starts_with(key_of(id_)); entries_->next()) {
      const auto path = entries_->key().substr(id_.bytes.size());
      if (!path.empty()) entry(path, static_cast<std::int64_t>(entries_->number()));
    }
  }
  /// The same for a part of the token: the paths from `first` on, until `entry` returns false.
  template <typename Entry>
  void take_from(std::string_view first, Entry entry) {
    for (entries_->seek(std::string(key_of(id_)).append(first));
         entries_->is_valid() && entries_->key().starts_with(key_of(id_)); entries_->next()) {
      const auto path = entries_->key().substr(id_.bytes.size());
      if (!path.empty() && !entry(path, static_cast<std::int64_t>(entries_->number()))) return;
    }
  }
  /// Goes behind the token.
  void skip() {
    if (entries_->key().size() < id_.bytes.size()) return entries_->next();
    if (const auto following = domain::next_id(id_)) {
      entries_->seek(key_of(*following));
    } else {
      take([](auto, auto) {});
    }
  }

 private:
  const domain::SlotSet slots_;
  const std::unique_ptr<Database::Entries> entries_;
  domain::TokenId id_{};
  TokenValue value_;
};

}  // namespace tracker::store::rocksdb
