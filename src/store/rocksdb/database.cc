#include "store/rocksdb/database.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/table.h>

namespace tracker::store {

namespace {

/// RocksDB's own log is not kept: what matters comes as an error of a call.
class NoLog final : public rocksdb::Logger {
 public:
  NoLog() : Logger(rocksdb::InfoLogLevel::FATAL_LEVEL) {}
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

rocksdb::Options options_for(const RocksDbSettings& settings) {
  rocksdb::Options options;
  options.info_log = std::make_shared<NoLog>();
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.paranoid_checks = true;
  options.avoid_flush_during_recovery = true;
  options.max_background_jobs = 2;
  options.compression = rocksdb::kNoCompression;
  options.level_compaction_dynamic_level_bytes = true;
  options.write_buffer_size = settings.cache_bytes / 8;
  options.max_write_buffer_number = 3;

  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.block_cache = rocksdb::NewLRUCache(settings.cache_bytes / 5);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

void encode_value(std::int64_t value, char (&bytes)[8]) noexcept {
  for (auto& byte : bytes) {
    byte = static_cast<char>(value & 0xFF);
    value >>= 8;
  }
}

std::optional<std::int64_t> decode_value(std::string_view bytes) noexcept {
  if (bytes.size() != 8) return std::nullopt;
  std::uint64_t value = 0;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
    value = value << 8U | static_cast<unsigned char>(*byte);
  }
  return static_cast<std::int64_t>(value);
}

Database::Database(const std::string& directory, bool create, const RocksDbSettings& settings) {
  auto options = options_for(settings);
  options.create_if_missing = create;
  options.error_if_exists = create;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(options, directory, &db);
  if (!status.ok()) throw StoreError(status.ToString());
  db_.reset(db);
}

Database::~Database() {
  if (db_) db_->Close().PermitUncheckedError();
}

rocksdb::Status Database::write(rocksdb::WriteBatch& batch, bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  return db_->Write(options, &batch);
}

std::vector<Reading> Database::read(const std::vector<rocksdb::Slice>& keys) {
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  db_->MultiGet({}, db_->DefaultColumnFamily(), keys.size(), keys.data(), values.data(), statuses.data());
  std::vector<Reading> readings(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].IsNotFound()) continue;
    const auto value = statuses[i].ok() ? decode_value(values[i].ToStringView()) : std::nullopt;
    if (value) {
      readings[i] = {Reading::Kind::found, *value, ""};
    } else {
      readings[i] = {Reading::Kind::failed, 0,
                     statuses[i].ok() ? "a value that is no count" : statuses[i].ToString()};
    }
  }
  return readings;
}

}  // namespace tracker::store
