#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include <boost/asio/ip/address.hpp>

namespace tracker::runtime {

/// The order in which addresses are tried: IPv6 and IPv4 in turn, beginning with what the first one is, and otherwise
/// as they were (RFC 8305, section 4). None is there twice. Pure.
std::vector<boost::asio::ip::address> in_order_of_trial(const std::vector<boost::asio::ip::address>& found);

/// Decides which of several addresses is tried when, so that one that swallows connections does not hide those behind
/// it: the next is begun 250 ms after the one before (RFC 8305, section 5), or as soon as one has failed, while those
/// before it go on. Each has a time of its own, after which it has failed. Addresses are numbers from 0 on. Pure:
/// nothing is connected here, and time is an argument.
class AddressRace {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds stagger{250};

  AddressRace(std::size_t addresses, std::chrono::milliseconds time_for_each)
      : addresses_(addresses), time_for_each_(time_for_each) {}

  /// The address whose turn it is now, if any; it counts as begun.
  std::optional<std::size_t> begin_next(TimePoint now);

  /// An address whose time is over, if any; it counts as failed.
  std::optional<std::size_t> take_late(TimePoint now);

  /// An attempt that was begun has failed. Answers false if it had already.
  bool failed(std::size_t address);

  /// All of them have failed.
  bool lost() const noexcept { return under_way_.empty() && begun_ == addresses_; }

  /// When to ask again, if no attempt ends before. Not of a race that is lost.
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
  std::vector<Attempt> under_way_;  // in the order of beginning, and so of their deadlines
};

}  // namespace tracker::runtime
