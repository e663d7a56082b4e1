#pragma once

#include <rocksdb/options.h>

#include <string>

#include "store/rocksdb/stored_values.h"

namespace tracker::store {

/// What to do with what follows a log's last whole record: a torn one, or zeros (write_ahead_log.h). RocksDB opens
/// only without it.
enum class LogTails { leave, cut_off };

/// Looks through the database in `directory`: its manifest and tables as far as RocksDB looks at them when it opens,
/// and every byte of the write-ahead logs. Changes nothing, but for the tails of logs once all is well. Answers the
/// number of the last commit that it holds. Throws StoreError if anything that was ever committed is not there.
std::uint64_t check_database(const std::string& directory, const rocksdb::Options& options, LogTails tails);

/// The facts of the last commit that `db` has; none of the first was made. Throws StoreError.
CommitFacts read_commit_facts(rocksdb::DB& db);

}  // namespace tracker::store
