#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "settings/setting_table.h"
#include "store/counter_store.h"
#include "store/redis/redis_address.h"
#include "store/redis/redis_store.h"
#include "store/rocksdb/rocksdb_store.h"

namespace tracker::app {

/// A store, and what its users should know of it, for the log.
struct OpenStore {
  std::unique_ptr<store::CounterStore> store;
  std::string note;                                 // empty: the store logs it by itself
  store::rocksdb::RocksDbStore* rocksdb = nullptr;  // the store, if it is that one
  const store::redis::RedisStore* redis = nullptr;
  std::string unready_in_public = {};  // why it is not ready if it is not, without names of hosts and files
};

/// What there is to say of the store while it is ready; empty if all is well.
std::vector<std::string> remarks(const OpenStore& open_store);

/// Logs the note, if there is one.
void log_note(const OpenStore& open_store);

/// Where the store is Redis, and its loop runs: gives it a moment to be there, and to say in the log what it
/// can lose.
void wait_for_redis(const OpenStore& open_store);

/// Which store keeps the counts: the one list of all of them.
struct StoreChoice {
  std::string name;       // memory, redis or rocksdb
  std::string directory;  // of rocksdb
  std::optional<store::rocksdb::Durability> durability;
  std::optional<std::size_t> cache_bytes;
  store::redis::RedisAddress redis;
  std::string redis_password_file;  // empty: none
  bool redis_proxy = false;
  bool require_durability = false;

  /// `loop` is where its I/O runs, if it needs a loop; it outlives the store, and has stopped before that goes.
  /// Throws StartupError.
  OpenStore open(boost::asio::io_context& loop, std::chrono::milliseconds reply_deadline) const;
};

/// Ends this process, since nobody knows what is on disk. Any thread.
[[noreturn]] void end_process(const std::string& reason);

/// Declares --store of a command that is about a store on disk only.
void add_store_directory_setting(settings::SettingTable& table, std::string& directory,
                                 const std::string& help);

/// Declares --store and the settings of single stores; `by_default` is the command's store.
void add_store_settings(settings::SettingTable& table, StoreChoice& choice, const std::string& by_default);

}  // namespace tracker::app
