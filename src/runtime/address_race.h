#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include <boost/asio/ip/address.hpp>

namespace tracker::runtime {

/// The order in which to try addresses (RFC 8305, section 4): IPv6 and IPv4 alternate, beginning with the family of the
/// first address; within a family the order stays. Duplicates are dropped. Pure.
std::vector<boost::asio::ip::address> in_order_of_trial(const std::vector<boost::asio::ip::address>& found);

/// Decides when to try which of several addresses, so that an address that never answers does not delay the others. The
/// next attempt begins 250 ms after the one before (RFC 8305, section 5), or as soon as an attempt fails; earlier
/// attempts go on meanwhile. An attempt fails when its own deadline passes. Addresses are numbered from 0. Pure:
/// nothing is connected here, and time is an argument.
class AddressRace {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds stagger{250};

  AddressRace(std::size_t addresses, std::chrono::milliseconds time_for_each)
      : addresses_(addresses), time_for_each_(time_for_each) {}

  /// Returns the address to try now, if it is time to, and counts that attempt as begun.
  std::optional<std::size_t> begin_next(TimePoint now);

  /// Returns an address whose deadline has passed, if there is one, and counts that attempt as failed.
  std::optional<std::size_t> take_late(TimePoint now);

  /// Tells that an attempt has failed. Returns false if it had failed before.
  bool failed(std::size_t address);

  /// Whether all attempts have failed.
  bool lost() const noexcept { return under_way_.empty() && begun_ == addresses_; }

  /// When to ask again, unless an attempt ends earlier. Must not be called when the race is lost.
  TimePoint next_event() const;

 private:
  struct Attempt {
    std::size_t address;
    TimePoint deadline;
  };

  const std::size_t addresses_;
  const std::chrono::milliseconds time_for_each_;
  std::size_t begun_ = 0;
  TimePoint next_turn_ = TimePoint::min();
  std::vector<Attempt> under_way_;  // in the order in which they began, which is that of their deadlines
};

}  // namespace tracker::runtime
