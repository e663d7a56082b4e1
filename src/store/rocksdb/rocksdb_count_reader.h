#pragma once

#include "store/count_reader.h"
#include "store/rocksdb/committer.h"
#include "store/rocksdb/database.h"

namespace tracker::store::rocksdb {

/// Reads the counts of a store on disk. What is answered is written, so each call reads the database as of its moment.
class RocksDbCountReader final : public CountReader {
 public:
  /// They outlive it.
  RocksDbCountReader(Database& database, const Committer& committer)
      : database_(database), committer_(committer) {}

  std::vector<TokenSummary> list(const domain::SlotSet& slots, const std::optional<domain::TokenId>& after,
                                 std::size_t limit) override;
  std::optional<TokenSummary> find(const domain::TokenId& id) override;
  SlotMarks marks() override { return committer_.moves().marks; }
  std::optional<TokenCounts> read(const domain::TokenId& id, const CountsQuery& query) override;

 private:
  Database& database_;
  const Committer& committer_;
};

}  // namespace tracker::store::rocksdb
