#include "store/rocksdb/data_directory.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "runtime/log.h"
#include "store/rocksdb/descriptor.h"
#include "store/rocksdb/no_room.h"
#include "store/rocksdb/private_files.h"

namespace tracker::store::rocksdb {

namespace fs = std::filesystem;

namespace {

constexpr int known_format = static_cast<int>(StoreFormat::with_token_records);
constexpr std::string_view format_words = "tracker store, format ";

[[noreturn]] void throw_refused(const std::string& what, int error) {
  if (const auto lacking = shortage(error)) throw NoRoom(*lacking, what + ": " + error_text(error));
  throw StoreError(what + ": " + std::generic_category().message(error) +
                   "; check its permissions and its disk, or choose another directory");
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Whether `path` leads to the file that is open.
bool is_same_file(const std::string& path, const runtime::Descriptor& open) {
  struct stat found {};
  struct stat wanted {};
  return ::stat(path.c_str(), &found) == 0 && ::fstat(open.number(), &wanted) == 0 &&
         found.st_dev == wanted.st_dev && found.st_ino == wanted.st_ino;
}

}  // namespace

StoreFormat DataDirectory::format_of(const std::string& path) {
  std::ifstream file(path + "/FORMAT");
  if (!file) throw_refused("cannot read " + path + "/FORMAT", errno);
  std::string line;
  std::getline(file, line);
  int found = 0;
  if (line.starts_with(format_words)) {
    const auto* end = line.data() + line.size();
    if (std::from_chars(line.data() + format_words.size(), end, found).ptr != end) found = 0;
  }
  if (found <= 0) throw DamageError("its file FORMAT does not name a format");
  if (found > known_format) {
    throw StoreError("of the newer format " + std::to_string(found) +
                     ", and this program knows formats up to " + std::to_string(known_format) +
                     "; run the newer program, or choose another directory");
  }
  return static_cast<StoreFormat>(found);
}

void DataDirectory::check(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) throw StoreError("there is no such directory");
  if (is_unfinished(path)) {
    throw StoreError("what an interrupted restore left; restore again, or choose another directory");
  }
  if (!exists(path + "/FORMAT")) {
    throw StoreError("not a tracker store: it has no file FORMAT; choose another directory, or an empty one");
  }
  format_of(path);
  if (!exists(path + "/db") && !exists(path + "/db.new")) {
    throw DamageError("its directory db is missing");
  }
}

bool DataDirectory::is_empty(const std::string& path) {
  std::error_code error;
  const fs::directory_iterator entries(path, error);
  if (error) throw_refused("cannot read the directory", error.value());
  return std::all_of(begin(entries), end(entries), [](const fs::directory_entry& entry) {
    const auto name = entry.path().filename();
    return name == "lost+found" || name == "FORMAT.new" || name == "db.new";
  });
}

bool DataDirectory::is_unfinished(const std::string& path) {
  return exists(path + "/" + restoring) && !exists(path + "/FORMAT");
}

void DataDirectory::write_format(const std::string& path, StoreFormat format) {
  const std::string text = std::string(format_words) + std::to_string(static_cast<int>(format)) + "\n";
  const std::string new_file = path + "/FORMAT.new";
  {
    const auto file = make_private_file(new_file);
    if (!file.is_open() ||
        ::write(file.number(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::fsync(file.number()) != 0) {
      const int error = errno;
      ::unlink(new_file.c_str());
      throw_refused("cannot write into the directory", error);
    }
  }
  if (::rename(new_file.c_str(), (path + "/FORMAT").c_str()) != 0) {
    throw_refused("cannot write into the directory", errno);
  }
  sync_directory(path);
}

DataDirectory::DataDirectory(const std::string& path) {
  try {
    open(path);
  } catch (...) {
    undo();
    throw;
  }
}

DataDirectory::~DataDirectory() {
  undo();
}

void DataDirectory::open(const std::string& path) {
  path_ = absolute_path(path);
  made_ = make_directories(path_);
  lock();
  if (!exists(path_ + "/FORMAT") && is_empty(path_)) {
    if (::eaccess(path_.c_str(), W_OK | X_OK) != 0) throw_refused(path_ + " is not writable", errno);
    keep_private();
    is_new_ = true;
    return;
  }
  check(path_);
  format_ = format_of(path_);
  for (const auto& writable : {path_, database_path()}) {
    if (exists(writable) && ::eaccess(writable.c_str(), W_OK | X_OK) != 0) {
      throw_refused(writable + " is not writable", errno);
    }
  }
  keep_private();
  if (!exists(database_path())) move_new_database();
}

void DataDirectory::keep_private() const {
  if (const auto warning = take_rights_of_others(path_)) runtime::log_warning(*warning);
}

/// Locks the directory itself. A lock file would have to be made first.
void DataDirectory::lock() {
  lock_.emplace(open_file(path_, O_RDONLY | O_DIRECTORY));
  if (!lock_->is_open()) throw_refused("cannot open the directory", errno);
  if (::flock(lock_->number(), LOCK_EX | LOCK_NB) == 0) return;
  if (errno != EWOULDBLOCK) throw_refused("cannot lock the directory", errno);
  throw StoreError("locked by another process, which has it open; end that one, or choose another directory");
}

void DataDirectory::adopt_new_database() {
  sync_directory(path_);
  write_format(path_, format_);
  move_new_database();
}

void DataDirectory::keep() {
  database_.emplace(open_file(database_path(), O_PATH | O_DIRECTORY));
  if (!database_->is_open()) throw_refused("cannot open " + database_path(), errno);
  is_new_ = false;
  made_.clear();
}

void DataDirectory::admit(StoreFormat format) {
  if (format_ >= format) return;
  if (const auto now = readiness(); !now.is_ready()) throw StoreError(now.why_not());
  write_format(path_, format);
  format_ = format;
}

domain::Readiness DataDirectory::readiness() const {
  const auto now = std::chrono::system_clock::now();
  std::string what;
  struct stat current {};
  if (!is_same_file(path_, *lock_)) {
    what = path_;
  } else if (!is_same_file(database_path(), *database_)) {
    what = database_path();
  } else if (::stat((database_path() + "/CURRENT").c_str(), &current) != 0) {
    what = database_path() + "/CURRENT";
  } else {
    return domain::Readiness::ready(now);
  }
  return domain::Readiness::not_ready(
      what +
          " was removed or replaced while this process uses it: what it counts would be lost, so it refuses; "
          "put back what was there, or restart tracker to use what is there now",
      now);
}

void DataDirectory::move_new_database() {
  if (::rename(new_database_path().c_str(), database_path().c_str()) != 0) {
    throw_refused("cannot write into the directory", errno);
  }
  sync_directory(path_);
}

void DataDirectory::undo() noexcept {
  std::error_code error;
  if (is_new_) {
    fs::remove(path_ + "/FORMAT", error);  // first, because without it the rest is not a store
    fs::remove_all(database_path(), error);
    fs::remove_all(new_database_path(), error);
  }
  remove_directories(path_, made_);
}

}  // namespace tracker::store::rocksdb
