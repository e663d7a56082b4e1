#pragma once

#include <atomic>
#include <cstddef>

namespace tracker::rpc {

/// How many hits and mints are under way, of all services of one server, and whether more may be. Any thread.
struct Flight {
  std::size_t max;
  std::atomic<std::size_t> hits = 0;
  std::atomic<bool> draining = false;
  std::atomic<std::size_t> refused = 0;  // calls and batches, ever

  bool enter(std::size_t n) noexcept {
    if (hits.fetch_add(n) + n <= max && !draining) return true;
    hits -= n;
    ++refused;
    return false;
  }
  void leave(std::size_t n) noexcept { hits -= n; }
};

}  // namespace tracker::rpc
