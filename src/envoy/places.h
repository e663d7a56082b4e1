#pragma once

#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "domain/ip_address.h"
#include "runtime/deadlines.h"

namespace tracker::envoy {

/// Counts the connections of each client address. Any thread.
class AddressCounts : public std::enable_shared_from_this<AddressCounts> {
 public:
  /// Counts as one connection of an address, as long as it lives. An empty one counts for no address.
  class Place {
   public:
    Place() noexcept = default;
    Place(Place&&) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place();

   private:
    friend class AddressCounts;
    Place(std::shared_ptr<AddressCounts> counts, const domain::IpAddress& client) noexcept
        : counts_(std::move(counts)), client_(client) {}
    std::shared_ptr<AddressCounts> counts_;  // null: empty
    domain::IpAddress client_;
  };

  /// Counts one more connection. Returns nothing if the address has `max` already. `max` must be above 0. Addresses with
  /// one domain::client_part() are one.
  std::optional<Place> enter(const domain::IpAddress& address, std::size_t max);

 private:
  std::mutex mutex_;
  std::map<domain::IpAddress, std::size_t>
      counts_;  // mutex_; no hash table, because strangers choose the keys
};

/// When the longest waiting connections of a worker began to wait, or time_point::max() if none waits. The worker
/// writes it. For other workers it is a hint: the connection may be gone when they read it.
struct alignas(64) LongestWaiting {
  static constexpr auto none = runtime::Clock::time_point::max();
  std::atomic<runtime::Clock::time_point> idle = none;  // for a next request
  std::atomic<runtime::Clock::time_point> head = none;  // for the rest of a head
};

/// Whose place a new connection may take when all are taken. In the order in which they give way: connections that have
/// long been idle, heads that have long been unfinished, other idle connections.
struct Claim {
  enum class Kind : std::uint8_t { long_idle, late_head, idle };
  static constexpr auto long_wait = std::chrono::seconds(1);

  Kind kind;
  runtime::Clock::time_point since;  // it has waited since then

  auto operator<=>(const Claim&) const =
      default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 sees a 0 here
};

/// The best claim that a worker can offer whose connections wait like this, of those that come after `after`. A
/// connection that was active less than `active_for` ago is not offered: a client that sends a request every few
/// milliseconds stays, however many others come. Pure, except for reading the hint.
std::optional<Claim> best_claim(const LongestWaiting& waiting, runtime::Clock::time_point now,
                                runtime::Clock::duration active_for, const std::optional<Claim>& after);

}  // namespace tracker::envoy
