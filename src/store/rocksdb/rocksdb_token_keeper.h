#pragma once

#include <optional>

#include "store/rocksdb/committer.h"
#include "store/rocksdb/database.h"
#include "store/token_keeper.h"
#include "store/token_rules.h"

namespace tracker::store::rocksdb {

/// Changes and removes the tokens of a store on disk. A token that is removed is revoked first, so that nothing of it changes
/// meanwhile. What is left of one when the process ends is removed by the next sweep.
class RocksDbTokenKeeper final : public TokenKeeper {
 public:
  /// They outlive it.
  RocksDbTokenKeeper(Database& database, Committer& committer, TokenRules rules)
      : database_(database), committer_(committer), rules_(std::move(rules)) {}

  std::optional<domain::TokenRecord> change(const domain::TokenId& id, const TokenChange& change) override;
  bool purge(const domain::TokenId& id, domain::Seconds retain_s) override;
  Swept sweep(const domain::SlotSet& slots, domain::Seconds retain_s) override;

 private:
  void remove_counts(const domain::TokenId& id);

  Database& database_;
  Committer& committer_;
  const TokenRules rules_;
  std::optional<domain::TokenId> swept_to_ = domain::TokenId{};  // the next token that sweep() looks at
};

}  // namespace tracker::store::rocksdb
