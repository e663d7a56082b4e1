#pragma once

#include <optional>
#include <string>

#include "store/rocksdb/rocksdb_settings.h"

namespace tracker::store::rocksdb {

/// What a system call lacked, in plain words. Nothing is broken. It may be available again later.
struct Shortage {
  int error;  // the errno
  std::string what;
  std::string remedy;
};

/// What a call that failed with this errno lacked: room on the disk, in a quota or below the limit of a file's size, or
/// descriptors. Returns nothing if it failed for another reason. Serving, starting, backup and restore all use this.
std::optional<Shortage> shortage(int error);

/// A store cannot be opened, written or made because of a shortage.
class NoRoom final : public StoreError {
 public:
  /// `about` says what was done, and to which file.
  NoRoom(const Shortage& shortage, const std::string& about)
      : StoreError(shortage.what + " (" + about + "); " + shortage.remedy), error_(shortage.error) {}

  int error() const noexcept { return error_; }

 private:
  int error_;
};

}  // namespace tracker::store::rocksdb
