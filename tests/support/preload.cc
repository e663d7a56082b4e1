#include "support/preload.h"

#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <stdexcept>

namespace tracker::tests {

std::string preload_name(const std::filesystem::path& library) {
  static std::mutex mutex;
  static std::map<std::filesystem::path, int> opened;  // protected by mutex; they stay open
  const std::lock_guard lock(mutex);
  const auto [entry, is_new] = opened.try_emplace(library, -1);
  if (is_new) entry->second = ::open(library.c_str(), O_RDONLY | O_CLOEXEC);
  if (entry->second < 0) throw std::runtime_error("cannot open the library " + library.string());
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(entry->second);
}

}  // namespace tracker::tests
