#include "store/rocksdb/rocksdb_store.h"

#include <rocksdb/utilities/checkpoint.h>

#include <filesystem>
#include <system_error>

#include "store/rocksdb/committer.h"
#include "store/rocksdb/data_directory.h"
#include "store/rocksdb/database.h"

namespace tracker::store {

namespace fs = std::filesystem;

class RocksDbStore::Parts {
 public:
  explicit Parts(const RocksDbSettings& settings)
      : directory(settings.directory),
        database(open(directory, settings)),
        tokens_at_open(tokens()),
        committer(*database, settings, tokens_at_open) {}

  DataDirectory directory;
  std::unique_ptr<Database> database;
  std::uint64_t tokens_at_open;
  Committer committer;

 private:
  static std::unique_ptr<Database> open(DataDirectory& directory, const RocksDbSettings& settings) {
    if (!directory.has_database()) {
      fs::remove_all(directory.new_database_path());
      Database(directory.new_database_path(), true, settings);
      directory.adopt_new_database();
    }
    return std::make_unique<Database>(directory.database_path(), false, settings);
  }
  std::uint64_t tokens() {
    const auto reading = database->read({rocksdb::Slice(tokens_key)}).front();
    if (reading.kind == Reading::Kind::failed) throw StoreError("damaged: " + reading.error);
    return static_cast<std::uint64_t>(reading.value);
  }
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
  return std::nullopt;
}

const std::string& RocksDbStore::directory() const noexcept {
  return parts_->directory.path();
}

std::uint64_t RocksDbStore::tokens_at_open() const noexcept {
  return parts_->tokens_at_open;
}

void RocksDbStore::backup(const std::string& directory) {
  std::error_code error;
  if (!fs::create_directory(directory, error)) {
    throw StoreError(error ? "cannot make the directory: " + error.message()
                           : "the directory exists; name one that does not");
  }
  const auto fail = [&](const std::string& reason) {
    fs::remove_all(directory, error);
    throw StoreError(reason);
  };
  rocksdb::Checkpoint* raw = nullptr;
  auto status = rocksdb::Checkpoint::Create(&parts_->database->db(), &raw);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  if (status.ok()) status = checkpoint->CreateCheckpoint(directory + "/db");
  if (!status.ok()) fail("the disk refused: " + status.ToString());
  try {
    DataDirectory::write_format(directory);
  } catch (const StoreError& refused) {
    fail(refused.what());
  }
}

void RocksDbStore::check(const std::string& directory) {
  DataDirectory::check(directory);
}

}  // namespace tracker::store
