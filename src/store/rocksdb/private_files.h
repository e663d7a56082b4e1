#pragma once

#include <optional>
#include <string>

#include "runtime/descriptor.h"

namespace tracker::store::rocksdb {

/// Who can read a store can count with the token ids in it, so its files are for their owner alone: directories have
/// the mode 0700, files 0600. A process that makes a store sets its umask to 077, for the files that RocksDB makes.

/// Makes the directory, mode 0700. Answers whether it did; if not, errno says why.
bool make_private_directory(const std::string& path) noexcept;

/// Makes a file of the mode 0600, open for writing. Whatever has this name, such as what a crash left or a link, goes
/// first; what a link leads to is not touched. If the file cannot be made, it is not open, and errno says why.
runtime::Descriptor make_private_file(const std::string& path) noexcept;

/// Takes the rights of all others from the data directory `path` and from the files in it and in its database, as far
/// as they belong to this user. `path` may be a link to the directory. Answers a line for the log about what others
/// may still read; nothing: there is none. Throws StoreError if others may write there.
std::optional<std::string> take_rights_of_others(const std::string& path);

}  // namespace tracker::store::rocksdb
