#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/token_id.h"
#include "store/rocksdb/database.h"

namespace tracker::store::rocksdb {

/// What the database has for one counter, or for a token if the path in its key is empty.
struct Load {
  std::string key;
  bool token_known = false;                             // it need not be looked up
  domain::Deadline deadline = domain::Deadline::max();  // after that it is not read any more

  Reading counter;
  Reading token;

  /// Whether the token is asked for besides.
  bool wants_token() const noexcept { return !token_known && key.size() > sizeof(domain::TokenId); }
};

/// Reads counters that are not in the cache, on a thread of its own, so that nobody else waits for the disk.
/// Some of those that wait are read together, at most loads_at_once: a slow disk delays no others than it must.
class Loader {
 public:
  static constexpr std::size_t loads_at_once = 256;

  /// `on_loaded` gets what was read, on the loader's thread; what it was too late for has failed. `database` outlives
  /// the loader.
  Loader(Database& database, std::function<void(std::span<Load* const>)> on_loaded);

  /// Ends the thread; what waits is not read any more.
  ~Loader();

  /// Reads it at once if that needs no disk; false: it is as it was. Any thread.
  bool load_from_memory(Load& load);

  /// Any thread. They stay valid, and untouched, until they are loaded.
  void load(const std::vector<Load*>& loads);

 private:
  void run();
  void read(std::span<Load* const> loads);

  Database& database_;
  const std::function<void(std::span<Load* const>)> on_loaded_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Load*> waiting_;  // mutex_
  bool stopping_ = false;       // mutex_

  std::vector<Load*> in_time_;  // the thread's, as the next
  std::vector<::rocksdb::Slice> keys_;
  std::thread thread_;
};

}  // namespace tracker::store::rocksdb
