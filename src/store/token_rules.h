#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>

#include "domain/token_record.h"
#include "store/compact_record.h"

namespace tracker::store {

/// The time of the system's clock.
inline domain::Seconds system_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<domain::Seconds>(
      std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count(), 0));
}

/// By what a store judges tokens and paths.
struct TokenRules {
  /// By which tokens expire. Any thread.
  std::function<domain::Seconds()> now_s = system_seconds;
  /// Whether that is sure, so that what ended long ago may be removed. Any thread.
  std::function<bool()> is_time_sure = [] { return true; };
  // What a new path or a new token may not exceed. What is there already stays. 0: no bound.
  std::uint64_t paths_max = 0;       // of a token
  std::uint64_t path_bytes_max = 0;  // of all paths of a token
  std::uint64_t tokens_max = 0;      // in the store

  bool bound_paths() const noexcept { return paths_max != 0 || path_bytes_max != 0; }
  /// Whether the token may have one more path, of so many bytes. Only if its record knows its paths, or there are no bounds.
  bool allow_path(const CompactRecord& token, std::size_t bytes) const noexcept {
    return (paths_max == 0 || token.paths() < paths_max) &&
           (path_bytes_max == 0 || token.path_bytes() + bytes <= path_bytes_max);
  }
};

}  // namespace tracker::store
