#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/descriptor.h"
#include "store/count_reader.h"
#include "store/counter_store.h"
#include "store/rocksdb/rocksdb_settings.h"
#include "store/rocksdb/store_copy.h"
#include "store/store_contents.h"
#include "store/token_keeper.h"

namespace tracker::store::rocksdb {

/// Counts on disk, in a directory that belongs to this process alone. A thread of its own takes all waiting batches
/// into one commit. It answers them when the commit is as durable as the settings say. Hits are refused while the
/// directory is not where it was opened.
class RocksDbStore final : public CounterStore {
 public:
  /// Opens the store in `settings.directory`, or makes one there if the directory is empty or absent. Throws
  /// StoreError; nothing on disk has changed then.
  explicit RocksDbStore(const RocksDbSettings& settings);

  /// Closes the database. Nothing may be in flight except find_slots(), which then fails.
  ~RocksDbStore() override;

  void track(const domain::HitBatch& hits, TrackReply& reply) override;
  void add_token(const domain::TokenId& id, const domain::TokenRecord& record, domain::Deadline deadline,
                 AddReply& reply) override;
  const StoreFactsSource& facts() const override;
  /// A record is on disk before the reply, whatever the durability of counts is.
  void write_record(std::string record, domain::Deadline deadline, WriteReply& reply) override;
  void find_slots(SlotsReply& reply) override;
  const ReadinessSource& readiness() const override;
  void report(metrics::Page& page) const override;

  /// The contents, to read and move them. Call it once. The store outlives it. `loss` says in plain words what the store may
  /// lose of what it was given; empty: nothing.
  std::unique_ptr<StoreContents> contents(std::string loss);

  /// The store outlives it. Any thread.
  std::unique_ptr<CountReader> reader();

  /// The store outlives it. Several may be at work.
  std::unique_ptr<TokenKeeper> keeper();

  /// The absolute path.
  const std::string& directory() const noexcept;
  /// The number of tokens when it was opened.
  std::uint64_t tokens_at_open() const noexcept;
  /// The number of bytes of a torn tail that were left out when it was opened.
  std::uint64_t left_out_bytes_at_open() const noexcept;

  /// Copies the store into `directory`, as of a moment during the call, and goes on serving. The copy holds everything
  /// that was answered before the call. `directory` must not exist and must be outside the store. The copy is checked
  /// before it becomes a backup. Blocks. Throws StoreError, and leaves nothing there then. Any thread except the
  /// workers.
  StoreSummary backup(const std::string& directory);

  /// The same, into an empty directory that is open. This process need not see it under any name; errors call it
  /// `name`. If it throws, it removes what it made there.
  StoreSummary backup_into(const runtime::Descriptor& directory, const std::string& name);

  /// Throws StoreError unless `directory` holds a store of a format that this program knows. Reads only.
  static void check(const std::string& directory);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tracker::store::rocksdb
