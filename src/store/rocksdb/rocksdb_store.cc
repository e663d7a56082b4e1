#include "store/rocksdb/rocksdb_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "store/rocksdb/committer.h"
#include "store/rocksdb/data_directory.h"
#include "store/rocksdb/database.h"
#include "store/rocksdb/descriptor.h"
#include "store/rocksdb/no_room.h"
#include "store/rocksdb/private_files.h"
#include "store/rocksdb/rocksdb_contents.h"
#include "store/rocksdb/rocksdb_count_reader.h"
#include "store/rocksdb/rocksdb_token_keeper.h"
#include "store/rocksdb/slot_search.h"
#include "store/rocksdb/store_watch.h"

namespace tracker::store::rocksdb {

namespace fs = std::filesystem;

struct RocksDbStore::Parts {
  explicit Parts(const RocksDbSettings& given)
      : directory(given.directory),
        settings(with_absolute_path(given, directory)),
        database(path_of_database(directory, settings), settings),
        tokens_at_open(database.facts_at_open().tokens),
        left_out_bytes_at_open(database.left_out_bytes_at_open()),
        facts(StoreFacts{.id = std::bit_cast<StoreFacts::Id>(database.id()),
                         .record = database.record_at_open()}),
        committer(database, settings, [this](StoreFormat format) { directory.admit(format); }),
        slot_search(database) {
    directory.keep();
    watch.emplace(directory, database.damaged_tables());
    readiness.emplace(std::vector{&watch->readiness(), &committer.readiness(), &committer.marks_readiness(),
                                  &committer.tokens_readiness(), &database.damaged_tables().readiness()});
  }
  /// If it is not in its place any more, what is there now belongs to somebody else.
  ~Parts() {
    if (!directory.readiness().is_ready()) database.leave_end_unmarked();
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

  StoreSummary copy_into(const std::string& path, const std::string& name);
  CommitFacts look_through(const std::string& copy);

  DataDirectory directory;
  const RocksDbSettings settings;
  Database database;
  const std::uint64_t tokens_at_open;
  const std::uint64_t left_out_bytes_at_open;
  const StoreFactsSource facts;  // never change
  Committer committer;
  SlotSearch slot_search;
  std::optional<StoreWatch> watch;
  std::optional<JointReadiness> readiness;
};

namespace {

[[noreturn]] void throw_inside_the_store(const std::string& store) {
  throw StoreError("it would be inside the store " + store + "; choose a place outside");
}

/// RocksDB's text names `path`, which means nothing to the reader.
std::string with_name(std::string words, const std::string& path, const std::string& name) {
  for (auto at = words.find(path); at != std::string::npos; at = words.find(path, at + name.size())) {
    words.replace(at, path.size(), name);
  }
  return words;
}

}  // namespace

/// FORMAT makes it a backup. So FORMAT is made last, and removed first if something goes wrong.
StoreSummary RocksDbStore::Parts::copy_into(const std::string& path, const std::string& name) try {
  if (const auto now = directory.readiness(); !now.is_ready()) throw StoreError(now.why_not());
  try {
    database.copy_to(path + "/db");
    // FORMAT is read after the copy was made: it says that there may be a record before there is one.
    const auto format = DataDirectory::format_of(directory.path());
    const auto tokens = look_through(path + "/db").tokens;
    DataDirectory::write_format(path, format);
    return {tokens, bytes_in(path)};
  } catch (...) {
    std::error_code ignored;
    for (const auto* made : {"/FORMAT", "/FORMAT.new", "/db", "/db.tmp"})
      fs::remove_all(path + made, ignored);
    throw;
  }
} catch (const NoRoom& error) {
  throw StoreError(with_name(error.what(), path, name) +
                   "; where files cannot be shared with the store, it takes " +
                   std::to_string(bytes_in(directory.database_path())) + " bytes");
} catch (const std::exception& error) {
  throw StoreError(with_name(error.what(), path, name));
}

CommitFacts RocksDbStore::Parts::look_through(const std::string& copy) try {
  return Database::look_through(copy, settings.look_through_bytes_per_s);
} catch (const DamageError& error) {
  if (const auto table = database.own_damage(error.found())) {
    throw StoreError("the store itself is damaged: " + *table + ": " + error.found() +
                     "; keep your older backups, and restore one");
  }
  throw StoreError("the copy is damaged, and the store is not: " + error.found() +
                   "; check the disk of the copy");
}

RocksDbStore::RocksDbStore(const RocksDbSettings& settings) : parts_(std::make_unique<Parts>(settings)) {}
RocksDbStore::~RocksDbStore() = default;

void RocksDbStore::track(const domain::HitBatch& hits, TrackReply& reply) {
  if (!parts_->watch->is_in_place()) {
    return reply.on_one_verdict_for_all(hits.size(), domain::Verdict::not_counted());
  }
  parts_->committer.track(hits, reply);
}

void RocksDbStore::add_token(const domain::TokenId& id, const domain::TokenRecord& record,
                             domain::Deadline deadline, AddReply& reply) {
  if (!parts_->watch->is_in_place()) return reply.on_added(domain::Failure::not_done);
  parts_->committer.add_token(id, record, deadline, reply);
}

const StoreFactsSource& RocksDbStore::facts() const {
  return parts_->facts;
}

void RocksDbStore::write_record(std::string record, domain::Deadline deadline, WriteReply& reply) {
  if (!parts_->watch->is_in_place()) return reply.on_written(domain::Failure::not_done);
  parts_->committer.write_record(std::move(record), deadline, reply);
}

void RocksDbStore::find_slots(SlotsReply& reply) {
  if (!parts_->watch->is_in_place()) return reply.on_slots(domain::Failure::not_done);
  parts_->slot_search.find(reply);
}

const ReadinessSource& RocksDbStore::readiness() const {
  return parts_->readiness->readiness();
}

void RocksDbStore::report(metrics::Page& page) const {
  parts_->committer.report(page);
  parts_->database.report(page);
}

std::unique_ptr<StoreContents> RocksDbStore::contents(std::string loss) {
  return std::make_unique<RocksDbContents>(parts_->database, parts_->committer, parts_->facts.value().value(),
                                           std::move(loss));
}

std::unique_ptr<CountReader> RocksDbStore::reader() {
  return std::make_unique<RocksDbCountReader>(parts_->database, parts_->committer);
}

std::unique_ptr<TokenKeeper> RocksDbStore::keeper() {
  return std::make_unique<RocksDbTokenKeeper>(parts_->database, parts_->committer, parts_->settings.rules);
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
  if (is_within(directory, this->directory())) throw_inside_the_store(this->directory());
  if (!make_private_directory(directory)) {
    if (errno == EEXIST) throw StoreError("the directory exists; name one that does not");
    throw StoreError("cannot make the directory: " + error_text(errno));
  }
  try {
    sync_directory(fs::path(absolute_path(directory)).parent_path());
    return parts_->copy_into(directory, directory);
  } catch (...) {
    ::rmdir(directory.c_str());
    throw;
  }
}

StoreSummary RocksDbStore::backup_into(const runtime::Descriptor& directory, const std::string& name) {
  const auto path = "/proc/self/fd/" + std::to_string(directory.number());
  std::error_code error;
  const bool is_empty = fs::is_empty(path, error);
  if (error) throw StoreError("cannot read the directory that was handed over: " + error.message());
  if (!is_empty) throw StoreError("the directory is not empty; name one that does not exist");
  if (is_within(path, this->directory())) throw_inside_the_store(this->directory());
  return parts_->copy_into(path, name);
}

void RocksDbStore::check(const std::string& directory) {
  DataDirectory::check(directory);
}

}  // namespace tracker::store::rocksdb
