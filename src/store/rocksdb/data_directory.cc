#include "store/rocksdb/data_directory.h"

#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "store/rocksdb/descriptor.h"

namespace tracker::store {

namespace fs = std::filesystem;

namespace {

constexpr int format = 1;
constexpr std::string_view format_words = "tracker store, format ";

void require_known_format(const std::string& path) {
  std::ifstream file(path + "/FORMAT");
  std::string line;
  std::getline(file, line);
  int found = 0;
  if (line.starts_with(format_words)) {
    const auto* number = line.data() + format_words.size();
    std::from_chars(number, line.data() + line.size(), found);
  }
  if (found <= 0) throw StoreError("damaged: its file FORMAT does not name a format; restore a backup");
  if (found > format) {
    throw StoreError("of the newer format " + std::to_string(found) +
                     ", and this program knows formats up to " + std::to_string(format) +
                     "; run the newer program, or choose another directory");
  }
}

/// Whether there is nothing but what a start leaves that ends before it has made FORMAT.
bool is_unused(const std::string& path) {
  const fs::directory_iterator entries(path);
  return std::all_of(begin(entries), end(entries), [](const fs::directory_entry& entry) {
    return entry.path().filename() == "FORMAT.new";
  });
}

}  // namespace

void DataDirectory::check(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) throw StoreError("no directory");
  if (is_unfinished(path)) {
    throw StoreError("what an interrupted restore left; restore again, or choose another directory");
  }
  if (!fs::exists(path + "/FORMAT", error)) {
    throw StoreError("not a tracker store: it has no file FORMAT; choose another directory");
  }
  require_known_format(path);
}

bool DataDirectory::is_unfinished(const std::string& path) {
  std::error_code error;
  return fs::exists(path + "/" + restoring, error) && !fs::exists(path + "/FORMAT", error);
}

void DataDirectory::write_format(const std::string& path) {
  const std::string text = std::string(format_words) + std::to_string(format) + "\n";
  const std::string new_file = path + "/FORMAT.new";
  {
    const Descriptor file(new_file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (!file.is_open() ||
        ::write(file.number(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::fsync(file.number()) != 0) {
      throw StoreError("cannot write there: " + error_text(errno) +
                       "; make the directory writable, or choose another");
    }
  }
  if (::rename(new_file.c_str(), (path + "/FORMAT").c_str()) != 0) {
    throw StoreError("cannot write there: " + error_text(errno));
  }
  sync_directory(path);
}

DataDirectory::DataDirectory(const std::string& path)
    : path_(fs::absolute(path).lexically_normal().string()) {
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) throw StoreError("cannot make the directory: " + error.message() + "; choose another");
  Descriptor directory(path_, O_RDONLY | O_DIRECTORY);
  if (!directory.is_open()) throw StoreError("cannot open the directory: " + error_text(errno));
  if (::flock(directory.number(), LOCK_EX | LOCK_NB) != 0) {
    throw StoreError("locked by another process; end that one, or choose another directory");
  }
  if (fs::exists(path_ + "/FORMAT")) {
    require_known_format(path_);
  } else if (is_unused(path_)) {
    write_format(path_);
  } else {
    check(path_);
  }
  descriptor_ = directory.release();
}

DataDirectory::~DataDirectory() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool DataDirectory::has_database() const {
  return fs::exists(database_path());
}

void DataDirectory::adopt_new_database() {
  if (::rename(new_database_path().c_str(), database_path().c_str()) != 0) {
    throw StoreError("cannot write there: " + error_text(errno));
  }
  sync_directory(path_);
}

}  // namespace tracker::store
