#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/descriptor.h"
#include "store/counter_store.h"
#include "store/rocksdb/rocksdb_settings.h"
#include "store/rocksdb/store_copy.h"

namespace tracker::store::rocksdb {

/// Counts on disk, in a directory of this process alone. A thread of its own takes every batch that waits
/// into one commit, and answers it when it is as durable as the settings say. While the directory is not where it was
/// opened, hits are refused.
class RocksDbStore final : public CounterStore {
 public:
  /// Opens the store in `settings.directory`, or makes it there if there is nothing. Throws StoreError; then
  /// nothing on disk has changed.
  explicit RocksDbStore(const RocksDbSettings& settings);

  /// Nothing is under way any more. Closes the database.
  ~RocksDbStore() override;

  void track(const domain::HitBatch& hits, TrackReply& reply) override;
  void add_token(const domain::TokenId& id, domain::Deadline deadline, AddReply& reply) override;
  const ReadinessSource& readiness() const override;

  /// The absolute path.
  const std::string& directory() const noexcept;
  /// With how many tokens it opened.
  std::uint64_t tokens_at_open() const noexcept;
  /// How many bytes of a torn tail were left out then: of what a crash had cut off.
  std::uint64_t left_out_bytes_at_open() const noexcept;

  /// Copies the store, as it is at some moment of the call, into `directory`, which must not exist and be outside of
  /// the store, while it goes on serving: everything that was answered before the call is in it. The copy is looked
  /// through before it becomes a backup. Blocks. Throws StoreError, and then leaves nothing there. Any thread but the
  /// workers'.
  StoreSummary backup(const std::string& directory);

  /// The same into an empty directory that is open, and that this process need not see under any name. `name` is what
  /// errors call it. What was made in it is removed if it throws.
  StoreSummary backup_into(const runtime::Descriptor& directory, const std::string& name);

  /// Throws StoreError unless `directory` holds a store of a format that this program knows. Reads only.
  static void check(const std::string& directory);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tracker::store::rocksdb
