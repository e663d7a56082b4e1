#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "store/store_error.h"

#include "store/token_rules.h"

namespace tracker::store::rocksdb {

/// When a count is answered, and so what a power cut can lose. A crash of the process alone never loses a count that
/// was answered, because the kernel holds it.
struct Durability {
  enum class Kind {
    commit,    // answered after an fsync that covers it
    interval,  // answered when the kernel has it; an fsync follows within `interval`
    none,      // answered when the kernel has it, which writes it when it likes
  };
  Kind kind = Kind::commit;
  std::chrono::milliseconds interval{0};
};

struct RocksDbSettings {
  std::string directory;
  Durability durability;
  /// About how much memory the store may take, whatever the number of counters.
  std::size_t cache_bytes = std::size_t{256} << 20U;
  /// About how large a table on disk becomes.
  std::size_t table_bytes = std::size_t{64} << 20U;
  /// How fast a backup is checked, so that counting can use the disk too; 0: without a limit.
  std::uint64_t look_through_bytes_per_s = std::uint64_t{64} << 20U;
  /// By what hits and tokens are judged.
  TokenRules rules = {};
  /// Called once, on any thread, with the reason in plain words, if after a failed write or fsync it is not known what
  /// is on disk. It must end the process and not return. What depends on that write is never answered.
  std::function<void(const std::string& reason)> on_fatal;
};

/// The largest number of tables that a store has open, and about the largest number of files.
inline constexpr std::size_t tables_open_max = 512;
inline constexpr std::size_t files_open_max = tables_open_max + 64;

}  // namespace tracker::store::rocksdb
