#include "store/rocksdb/descriptor.h"

#include <filesystem>

namespace tracker::store {

namespace fs = std::filesystem;

std::string absolute_path(const std::string& path) {
  std::error_code error;
  const auto absolute = fs::absolute(path, error).lexically_normal();
  if (error) throw StoreError("cannot find the directory: " + error.message());
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

std::string make_directories(const std::string& path) {
  const fs::path directory = absolute_path(path);
  std::error_code error;
  fs::path topmost;
  for (auto missing = directory; !fs::exists(missing, error) && missing.has_relative_path();
       missing = missing.parent_path()) {
    topmost = missing;
  }
  if (topmost.empty() && fs::is_directory(directory, error)) return "";
  try {
    fs::create_directories(directory, error);
    if (error) {
      throw StoreError("cannot make the directory: " + error.message() +
                       "; see to its permissions and its disk, or choose another directory");
    }
    for (auto made = directory; made != topmost.parent_path(); made = made.parent_path()) {
      sync_directory(made.parent_path());
    }
  } catch (const StoreError&) {
    remove_directories(path, topmost);
    throw;
  }
  return topmost;
}

void remove_directories(const std::string& path, const std::string& topmost) noexcept try {
  if (topmost.empty()) return;
  std::error_code error;
  for (fs::path made = absolute_path(path); made != fs::path(topmost).parent_path();
       made = made.parent_path()) {
    fs::remove(made, error);
  }
} catch (const std::exception&) {  // what is left is empty
}

}  // namespace tracker::store
