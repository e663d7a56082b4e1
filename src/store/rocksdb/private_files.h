#pragma once

#include <optional>
#include <string>

#include "runtime/descriptor.h"

namespace tracker::store::rocksdb {

/// Whoever can read a store can count with the token ids in it. So only its owner may access it: directories have mode
/// 0700, files 0600. A process that makes a store sets its umask to 077, for the files that RocksDB makes.

/// Makes the directory, with mode 0700. Returns whether it did; if not, errno says why.
bool make_private_directory(const std::string& path) noexcept;

/// Makes a file with mode 0600, open for writing. Removes whatever has this name before; of a link, only the link. If
/// it fails, the result is not open, and errno says why.
runtime::Descriptor make_private_file(const std::string& path) noexcept;

/// Takes the rights of all other users from the data directory `path`, its files and its database, if they belong to
/// this user. `path` may be a link to the directory. Returns a line for the log if others may still read something.
/// Throws StoreError if others may write there.
std::optional<std::string> take_rights_of_others(const std::string& path);

}  // namespace tracker::store::rocksdb
