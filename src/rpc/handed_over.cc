#include "rpc/handed_over.h"

#include <sys/stat.h>

#include <chrono>
#include <optional>

namespace tracker::rpc {

namespace {

/// A look costs a system call for each connection; so a flood of new ones must not make it happen all the time.
constexpr auto look_pause = std::chrono::milliseconds(100);

std::optional<ino_t> number_of(int socket) {
  struct stat status {};
  if (::fstat(socket, &status) != 0 || !S_ISSOCK(status.st_mode)) return std::nullopt;
  return status.st_ino;
}

}  // namespace

void HandedOver::add(int socket) {
  if (const auto number = number_of(socket)) entries_.push_back({socket, *number});
}

bool HandedOver::full(runtime::Clock::time_point now) {
  if (entries_.size() < max_) return false;
  if (now < look_at_) return true;
  look_at_ = now + look_pause;
  std::erase_if(entries_, [](const Entry& entry) { return number_of(entry.socket) != entry.number; });
  return entries_.size() >= max_;
}

}  // namespace tracker::rpc
