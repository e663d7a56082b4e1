#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/rocksdb/rocksdb_settings.h"

namespace tracker::store {

/// How counters are kept in RocksDB: the key is the token's id (16 bytes) and the path, the value the count;
/// an id alone has the time when the token was minted (seconds since 1970). Values are 8 bytes, little end
/// first. Shorter keys are the store's own facts.
inline constexpr std::string_view tokens_key = "tokens";  // how many there are

void encode_value(std::int64_t value, char (&bytes)[8]) noexcept;
/// Nothing if it is no value.
std::optional<std::int64_t> decode_value(std::string_view bytes) noexcept;

/// What one key was found to have.
struct Reading {
  enum class Kind { absent, found, failed };
  Kind kind = Kind::absent;
  std::int64_t value = 0;
  std::string error;  // of failed
};

/// The RocksDB database of a store: its options, and errors in plain words. Any thread.
class Database {
 public:
  /// `directory` is RocksDB's own. Throws StoreError.
  Database(const std::string& directory, bool create, const RocksDbSettings& settings);
  ~Database();

  rocksdb::Status write(rocksdb::WriteBatch& batch, bool sync);

  /// What each key has, all of one moment.
  std::vector<Reading> read(const std::vector<rocksdb::Slice>& keys);

  rocksdb::Status sync() { return db_->SyncWAL(); }
  rocksdb::DB& db() { return *db_; }

 private:
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace tracker::store
