#include "store/rocksdb/rocksdb_store.h"

#include <filesystem>
#include <system_error>

#include "store/rocksdb/committer.h"
#include "store/rocksdb/data_directory.h"
#include "store/rocksdb/database.h"
#include "store/rocksdb/descriptor.h"

namespace tracker::store {

namespace fs = std::filesystem;

struct RocksDbStore::Parts {
  explicit Parts(const RocksDbSettings& given)
      : directory(given.directory),
        settings(with_absolute_path(given, directory)),
        database(path_of_database(directory, settings), settings),
        tokens_at_open(database.facts_at_open().tokens),
        left_out_bytes_at_open(database.left_out_bytes_at_open()),
        committer(database, settings) {
    directory.keep();
  }

  static RocksDbSettings with_absolute_path(RocksDbSettings settings, const DataDirectory& directory) {
    settings.directory = directory.path();
    return settings;
  }
  static std::string path_of_database(DataDirectory& directory, const RocksDbSettings& settings) {
    if (directory.is_new()) {
      std::error_code error;
      fs::remove_all(directory.new_database_path(), error);  // if that fails, the next line says so
      Database::create(directory.new_database_path(), settings);
      directory.adopt_new_database();
    }
    return directory.database_path();
  }

  DataDirectory directory;
  const RocksDbSettings settings;
  Database database;
  const std::uint64_t tokens_at_open;
  const std::uint64_t left_out_bytes_at_open;
  Committer committer;
};

RocksDbStore::RocksDbStore(const RocksDbSettings& settings) : parts_(std::make_unique<Parts>(settings)) {}
RocksDbStore::~RocksDbStore() = default;

void RocksDbStore::track(const domain::HitBatch& hits, TrackReply& reply) {
  parts_->committer.track(hits, reply);
}

void RocksDbStore::add_token(const domain::TokenId& id, domain::Deadline deadline, AddReply& reply) {
  parts_->committer.add_token(id, deadline, reply);
}

std::optional<std::string> RocksDbStore::why_not_ready() const {
  return parts_->committer.why_not_ready();
}

const std::string& RocksDbStore::directory() const noexcept {
  return parts_->directory.path();
}

std::uint64_t RocksDbStore::tokens_at_open() const noexcept {
  return parts_->tokens_at_open;
}

std::uint64_t RocksDbStore::left_out_bytes_at_open() const noexcept {
  return parts_->left_out_bytes_at_open;
}

StoreSummary RocksDbStore::backup(const std::string& directory) {
  std::error_code error;
  if (!fs::create_directory(directory, error)) {
    throw StoreError(error ? "cannot make the directory: " + error.message()
                           : "the directory exists; name one that does not");
  }
  try {
    sync_directory(fs::path(absolute_path(directory)).parent_path());
    const auto facts = parts_->database.copy_to(directory + "/db");
    DataDirectory::write_format(directory);
    return {facts.tokens, bytes_in(directory)};
  } catch (const StoreError&) {
    fs::remove_all(directory, error);
    throw;
  }
}

void RocksDbStore::check(const std::string& directory) {
  DataDirectory::check(directory);
}

}  // namespace tracker::store
