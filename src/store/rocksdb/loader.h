#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "domain/hit_batch.h"
#include "domain/token_id.h"
#include "store/rocksdb/database.h"

namespace tracker::store::rocksdb {

/// A read of one counter, or of a token if the path in its key is empty.
struct Load {
  std::string key;
  bool token_known = false;  // the token need not be read
  /// The paths of the token are counted, if it does not say how many, and the counter is not there.
  bool wants_paths = false;
  domain::Deadline deadline = domain::Deadline::max();  // it is not read after that

  Reading counter;
  Reading token;
  std::optional<domain::TokenRecord::Paths> paths = {};  // if they were counted

  /// Whether the token must be read as well.
  bool wants_token() const noexcept { return !token_known && key.size() > sizeof(domain::TokenId); }
  /// Whether the paths must be counted, now that the counter and the token are read.
  bool needs_paths() const;
};

/// Reads counters that are not in the cache, on a thread of its own, so that nobody else waits for the disk. It reads
/// at most loads_at_once of them together, so that a slow read delays few others.
class Loader {
 public:
  static constexpr std::size_t loads_at_once = 256;

  /// `on_loaded` gets what was read, on the loader's thread. A load that came too late has failed. `database` must
  /// outlive the loader.
  Loader(Database& database, std::function<void(std::span<Load* const>)> on_loaded);

  /// Ends the thread. Waiting loads are not read any more.
  ~Loader();

  /// Reads it at once if that needs no disk access. Otherwise returns false and changes nothing. Any thread.
  bool load_from_memory(Load& load);

  /// The loads must stay valid and must not be touched until they are loaded. Any thread.
  void load(const std::vector<Load*>& loads);

 private:
  void run();
  void read(std::span<Load* const> loads);
  void count_paths(Load& load);

  Database& database_;
  const std::function<void(std::span<Load* const>)> on_loaded_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Load*> waiting_;  // mutex_
  bool stopping_ = false;       // mutex_

  // The thread's, while it reads.
  std::vector<Load*> in_time_;
  std::vector<::rocksdb::Slice> keys_;
  std::map<std::string, domain::TokenRecord::Paths> counted_;  // by the tokens' keys

  std::thread thread_;
};

}  // namespace tracker::store::rocksdb
