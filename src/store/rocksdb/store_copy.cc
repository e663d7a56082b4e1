#include "store/rocksdb/store_copy.h"

#include <sys/file.h>

#include <filesystem>
#include <vector>

#include "runtime/log.h"
#include "store/rocksdb/data_directory.h"
#include "store/rocksdb/database.h"
#include "store/rocksdb/descriptor.h"
#include "store/rocksdb/no_room.h"
#include "store/rocksdb/private_files.h"

namespace tracker::store::rocksdb {

namespace fs = std::filesystem;

namespace {

/// No other process opens a store there as long as the result lives.
runtime::Descriptor lock_directory(const std::string& path, const std::string& if_locked) {
  auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!directory.is_open()) throw StoreError(path + ": cannot open it: " + error_text(errno));
  if (::flock(directory.number(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw StoreError(path + ": a process uses it; " + if_locked);
  }
  return directory;
}

void copy_file(const std::string& from, const std::string& to) {
  const auto original = open_file(from, O_RDONLY);
  if (!original.is_open()) throw StoreError(from + ": cannot open it: " + error_text(errno));
  const auto copy = make_private_file(to);
  if (!copy.is_open()) throw_not_written(to, errno);
  std::vector<char> buffer(std::size_t{1} << 20U);
  for (;;) {
    const auto bytes = ::read(original.number(), buffer.data(), buffer.size());
    if (bytes < 0) throw StoreError(from + ": cannot read it: " + error_text(errno));
    if (bytes == 0) break;
    for (ssize_t written = 0; written < bytes;) {
      const auto more =
          ::write(copy.number(), buffer.data() + written, static_cast<std::size_t>(bytes - written));
      if (more < 0) throw_not_written(to, errno);
      written += more;
    }
  }
  if (::fsync(copy.number()) != 0) throw_not_written(to, errno);
}

void copy_files(const std::string& from, const std::string& to) {
  if (!make_private_directory(to)) throw_not_written(to, errno);
  for (const auto& entry : fs::directory_iterator(from)) {
    copy_file(entry.path().string(), to + "/" + entry.path().filename().string());
  }
  sync_directory(to);
}

/// Removes what an interrupted restore left. FORMAT goes first, because without it the rest is not a store. The mark
/// goes last.
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

StoreSummary look_through_backup(const std::string& from) try {
  return look_through_store(from);
} catch (const DamageError& error) {
  throw StoreError(from + ": the backup is damaged: " + error.found() + "; restore another one");
} catch (const StoreError& reason) {
  throw StoreError(from + ": " + reason.what());
}

void look_through_copy(const std::string& to) try {
  Database::look_through(to + "/db");
} catch (const DamageError& error) {
  throw StoreError(to + ": the copy is damaged, and the backup is not: " + error.found() +
                   "; check the disk, or choose another directory");
}

std::string make_or_take(const std::string& to) try {
  return make_directories(to);
} catch (const StoreError& reason) {
  throw StoreError(to + ": " + reason.what());
}

/// Copies the database into the empty directory `to`, and makes it a store.
void fill(const std::string& from, const std::string& to) try {
  if (const auto warning = take_rights_of_others(to)) runtime::log_warning(to + ": " + *warning);
  if (!make_private_file(to + "/" + DataDirectory::restoring).is_open()) throw_not_written(to, errno);
  sync_directory(to);
  copy_files(from + "/db", to + "/db");
  look_through_copy(to);
  DataDirectory::write_format(to, DataDirectory::format_of(from));
} catch (const NoRoom& error) {
  throw StoreError(to + ": " + error.what() + "; it takes " + std::to_string(bytes_in(from)) + " bytes");
}

void require_apart(const std::string& from, const std::string& to) {
  if (!fs::exists(from)) return;  // opening it will say so
  std::error_code error;
  if (fs::equivalent(from, to, error)) {
    throw StoreError(to + ": it is the backup itself; choose another directory");
  }
  if (is_within(to, from)) {
    throw StoreError(to + ": it is inside the backup " + from + "; choose a directory outside");
  }
  if (is_within(from, to)) {
    throw StoreError(to + ": the backup " + from + " is inside it; choose another directory");
  }
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
  require_apart(from, to);
  const auto from_lock = lock_directory(from, "make a backup of it (tracker backup), and restore that");
  const auto summary = look_through_backup(from);

  const auto made = make_or_take(to);
  const auto to_lock = lock_directory(to, "choose another directory");
  const fs::path store = to;
  if (DataDirectory::is_unfinished(to)) remove_unfinished(store);
  require_empty(store);
  fs::remove_all(store / "db.new");  // of a first start that was interrupted
  try {
    fill(from, to);
  } catch (...) {
    try {
      remove_unfinished(store);
      remove_directories(to, made);
    } catch (const fs::filesystem_error&) {  // what is left is marked
    }
    throw;
  }
  std::error_code ignored;
  fs::remove(store / DataDirectory::restoring, ignored);  // it has no meaning beside FORMAT
  return summary;
} catch (const fs::filesystem_error& error) {
  throw StoreError(error.path2().empty() ? error.path1().string() + ": " + error.code().message()
                                         : error.path2().string() + ": " + error.code().message());
}

}  // namespace tracker::store::rocksdb
