#include "store/rocksdb/store_copy.h"

#include <sys/file.h>

#include <filesystem>
#include <fstream>

#include "store/rocksdb/data_directory.h"
#include "store/rocksdb/database.h"
#include "store/rocksdb/descriptor.h"

namespace tracker::store {

namespace fs = std::filesystem;

namespace {

/// Nobody else opens a store there as long as this lives.
runtime::Descriptor lock_directory(const std::string& path, const std::string& if_locked) {
  auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!directory.is_open()) throw StoreError(path + ": cannot open it: " + error_text(errno));
  if (::flock(directory.number(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw StoreError(path + ": a process uses it; " + if_locked);
  }
  return directory;
}

void copy_files(const fs::path& from, const fs::path& to) {
  fs::create_directory(to);
  for (const auto& entry : fs::directory_iterator(from)) {
    const auto copy = to / entry.path().filename();
    fs::copy_file(entry.path(), copy);
    const auto file = open_file(copy, O_RDONLY);
    if (!file.is_open() || ::fsync(file.number()) != 0) {
      throw StoreError(copy.string() + ": cannot sync it: " + error_text(errno));
    }
  }
  sync_directory(to);
}

/// What is there of an unfinished restore; without FORMAT, which goes first, it is none; the mark goes last.
void remove_unfinished(const fs::path& to) {
  for (const auto* name : {"FORMAT", "db", "FORMAT.new"}) fs::remove_all(to / name);
  fs::remove(to / DataDirectory::restoring);
}

void require_empty(const fs::path& to) {
  if (DataDirectory::is_empty(to)) return;
  std::string found;
  for (const auto& entry : fs::directory_iterator(to)) found += " " + entry.path().filename().string();
  throw StoreError(to.string() + ": it is not empty, it holds" + found +
                   "; choose another directory, or move away what is there");
}

/// What `call` answers; what it throws is about `path`.
template <typename Call>
auto about(const std::string& path, Call call) try {
  return call();
} catch (const StoreError& reason) {
  throw StoreError(path + ": " + reason.what());
}

}  // namespace

std::string to_string(const StoreSummary& summary) {
  return "tokens=" + std::to_string(summary.tokens) + " bytes=" + std::to_string(summary.bytes);
}

std::uint64_t bytes_in(const std::string& directory) {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

StoreSummary look_through_store(const std::string& directory) {
  DataDirectory::check(directory);
  return {Database::look_through(directory + "/db").tokens, bytes_in(directory)};
}

StoreSummary restore_store(const std::string& from, const std::string& to) try {
  std::error_code error;
  if (fs::equivalent(from, to, error))
    throw StoreError(to + ": it is the backup itself; choose another directory");
  const auto from_lock = lock_directory(from, "make a backup of it (tracker backup), and restore that");
  const auto summary = about(from, [&] { return look_through_store(from); });

  const auto made = about(to, [&] { return make_directories(to); });
  const auto to_lock = lock_directory(to, "choose another directory");
  const fs::path store = to;
  if (DataDirectory::is_unfinished(to)) remove_unfinished(store);
  require_empty(store);
  fs::remove_all(store / "db.new");  // of a first start that was cut off
  try {
    if (!std::ofstream(store / DataDirectory::restoring)) throw StoreError(to + ": cannot write there");
    sync_directory(to);
    copy_files(fs::path(from) / "db", store / "db");
    Database::look_through(store / "db");
    DataDirectory::write_format(to);
  } catch (...) {
    try {
      remove_unfinished(store);
      remove_directories(to, made);
    } catch (const fs::filesystem_error&) {  // what is left is marked
    }
    throw;
  }
  fs::remove(store / DataDirectory::restoring, error);  // beside FORMAT it means nothing
  return summary;
} catch (const fs::filesystem_error& error) {
  throw StoreError(error.path2().empty() ? error.path1().string() + ": " + error.code().message()
                                         : error.path2().string() + ": " + error.code().message());
}

}  // namespace tracker::store
