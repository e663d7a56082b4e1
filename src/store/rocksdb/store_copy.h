#pragma once

#include <cstdint>
#include <string>

namespace tracker::store::rocksdb {

/// What is in a copy of a store.
struct StoreSummary {
  std::uint64_t tokens = 0;
  std::uint64_t bytes = 0;  // of its files
};

/// `tokens=3 bytes=1234`.
std::string to_string(const StoreSummary& summary);

/// Of the files in a directory, at any depth.
std::uint64_t bytes_in(const std::string& directory);

/// The same of a store on disk that nobody has open, whose every byte is looked through. Changes nothing. Throws
/// StoreError.
StoreSummary look_through_store(const std::string& directory);

/// Makes the store in `from`, a backup, anew in `to`, which is absent or empty. `to` is a store only when all of
/// it is there and on disk: what an interrupted restore leaves is never taken for one, and the next restore
/// clears it away. Nobody else has either of them open meanwhile. Throws StoreError, and then leaves nothing
/// behind.
StoreSummary restore_store(const std::string& from, const std::string& to);

}  // namespace tracker::store::rocksdb
