#pragma once

#include <rocksdb/options.h>

#include <string>

#include "store/rocksdb/stored_values.h"

namespace tracker::store {

/// Looks through the database in `directory`: its manifest and tables as far as RocksDB looks at them when it opens,
/// and every byte of the write-ahead logs. Changes nothing. Answers the number of the last commit that it holds.
/// Throws StoreError if anything that was ever committed is not there.
std::uint64_t check_database(const std::string& directory, const rocksdb::Options& options);

/// The facts of the last commit that `db` has; none of the first was made. Throws StoreError.
CommitFacts read_commit_facts(rocksdb::DB& db);

}  // namespace tracker::store
