#pragma once

#include <cstdint>
#include <string>

namespace tracker::store::rocksdb {

/// The contents of a store, in numbers.
struct StoreSummary {
  std::uint64_t tokens = 0;
  std::uint64_t bytes = 0;  // of its files
};

/// `tokens=3 bytes=1234`.
std::string to_string(const StoreSummary& summary);

/// The size of all files in a directory, at any depth.
std::uint64_t bytes_in(const std::string& directory);

/// Checks every byte of a store on disk that nobody has open, and returns its numbers. Changes nothing. Throws
/// StoreError.
StoreSummary look_through_store(const std::string& directory);

/// Restores the backup `from` to `to`, which must be absent or empty. `to` becomes a store only when everything is
/// there and on disk. What an interrupted restore leaves is never taken for a store, and the next restore clears it
/// away. Fails if another process has either of them open. Throws StoreError, and leaves nothing behind then.
StoreSummary restore_store(const std::string& from, const std::string& to);

}  // namespace tracker::store::rocksdb
