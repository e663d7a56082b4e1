#pragma once

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/deadlines.h"

namespace tracker::envoy {

/// How many connections each client's address has. Any thread.
class AddressCounts : public std::enable_shared_from_this<AddressCounts> {
 public:
  /// Addresses that count as one: an IPv4 address, alone or inside an IPv6 one; the first 64 bits of any other
  /// IPv6 address, since a client is commonly given all that begin so (RFC 6177). Families that have no such
  /// numbers are one address.
  using Key = std::pair<int, std::array<std::uint8_t, 8>>;
  static Key key_of(const sockaddr_storage& address) noexcept;

  /// One connection of an address, as long as it lives. One that is empty counts for nobody.
  class Place {
   public:
    Place() noexcept = default;
    Place(Place&&) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place();

   private:
    friend class AddressCounts;
    Place(std::shared_ptr<AddressCounts> counts, const Key& key) noexcept
        : counts_(std::move(counts)), key_(key) {}
    std::shared_ptr<AddressCounts> counts_;  // null: empty
    Key key_{};
  };

  /// Counts one more, or answers nothing if this address has `max` already, which is above 0.
  std::optional<Place> enter(const sockaddr_storage& address, std::size_t max);

 private:
  std::mutex mutex_;
  std::map<Key, std::size_t> counts_;  // mutex_; no hash: strangers choose the keys
};

/// When the longest waiting connections of a worker began to wait; the latest time there is if none waits.
/// Written by that worker, and a hint to the others: they may be gone by the time it is read.
struct alignas(64) LongestWaiting {
  static constexpr auto none = runtime::Clock::time_point::max();
  std::atomic<runtime::Clock::time_point> idle = none;  // for a next request
  std::atomic<runtime::Clock::time_point> head = none;  // for the rest of a head
};

/// Whose place a new connection may take where all are taken. They stand in the order in which they go:
/// connections that have long been idle; then heads that have long been unfinished; then other idle ones.
struct Claim {
  enum class Kind : std::uint8_t { long_idle, late_head, idle };
  static constexpr auto long_wait = std::chrono::seconds(1);

  Kind kind;
  runtime::Clock::time_point since;  // so long it has waited

  auto operator<=>(const Claim&) const = default;
};

/// The best claim that a worker whose connections wait like this may offer, of those behind `after`. One that was
/// active less than `active_for` ago is not offered: a client that sends a request every few milliseconds stays,
/// however many others come. Pure, but for reading the hint.
std::optional<Claim> best_claim(const LongestWaiting& waiting, runtime::Clock::time_point now,
                                runtime::Clock::duration active_for, const std::optional<Claim>& after);

}  // namespace tracker::envoy
