#pragma once

#include "store/rocksdb/committer.h"
#include "store/rocksdb/database.h"
#include "store/store_contents.h"

namespace tracker::store::rocksdb {

/// The contents of a store on disk. A reading is of one moment as a whole.
class RocksDbContents final : public StoreContents {
 public:
  /// They outlive it. `loss` is what what_can_be_lost() answers.
  RocksDbContents(Database& database, Committer& committer, StoreFacts facts, std::string loss);

  StoreFacts facts() override { return facts_; }
  std::string what_can_be_lost() override { return loss_; }
  std::unique_ptr<TokenReader> read(const domain::SlotSet& slots) override;
  SlotMarks marks() override { return moves_.marks; }
  void set_mark(const SlotMark& mark) override;
  void clear_marks(const domain::SlotSet& slots) override;
  bool has_imported(const ExportId& export_id) override;
  std::vector<Presence> find(const ExportId& export_id, std::span<const StoredToken> tokens) override;
  void put(const ExportId& export_id, std::span<const StoredToken> tokens) override;
  void remove(const domain::SlotSet& slots) override;

 private:
  void set_moves(StoredMoves moves);

  Database& database_;
  Committer& committer_;
  const StoreFacts facts_;
  const std::string loss_;
  StoredMoves moves_;  // the same as in the committer
};

}  // namespace tracker::store::rocksdb
