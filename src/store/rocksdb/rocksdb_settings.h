#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "store/store_error.h"

namespace tracker::store::rocksdb {

/// When a count is answered, and so what a power cut can lose. A crash of the process alone loses nothing of
/// what was answered, whatever this says: the kernel holds it.
struct Durability {
  enum class Kind {
    commit,    // answered after an fsync that covers it
    interval,  // answered once the kernel has it; an fsync at least every `interval` while there is need
    none,      // answered once the kernel has it, which writes it when it likes
  };
  Kind kind = Kind::commit;
  std::chrono::milliseconds interval{0};
};

struct RocksDbSettings {
  std::string directory;
  Durability durability;
  /// About what the store may take in memory, whatever the number of counters.
  std::size_t cache_bytes = std::size_t{256} << 20U;
  /// About as large becomes a table on disk.
  std::size_t table_bytes = std::size_t{64} << 20U;
  /// How fast a backup is looked through, so that counting has the disk, too; 0: as fast as it can be.
  std::uint64_t look_through_bytes_per_s = std::uint64_t{64} << 20U;
  /// Called once, on any thread, if a write or an fsync failed in a way that leaves open what is on disk;
  /// with the reason in plain words. It ends the process and does not return; what hangs on that write is
  /// never answered.
  std::function<void(const std::string& reason)> on_fatal;
};

/// How many tables a store has open at most, and about how many files.
inline constexpr std::size_t tables_open_max = 512;
inline constexpr std::size_t files_open_max = tables_open_max + 64;

}  // namespace tracker::store::rocksdb
