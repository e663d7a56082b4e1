#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tracker::runtime {

/// What a look-up found: addresses, in the order in which the system would try them, or why there are none.
struct FoundAddresses {
  std::vector<boost::asio::ip::address> addresses;
  std::string trouble;
};

/// Asks the system's resolver (getaddrinfo), and blocks as long as that takes. An empty host is this machine.
/// Any thread.
FoundAddresses look_up(const std::string& host);

/// Looks up one name, again and again. Each look-up has a thread of its own, and there is one at a time: a name
/// server that is slow holds up nobody else, nor the end of the process, which does not wait for that thread. A host
/// that is a number needs no look-up. Belongs to the loop's thread, and is destroyed there or when the loop has
/// stopped.
class NameLookup {
 public:
  using LookUp = std::function<FoundAddresses(const std::string& host)>;
  using Done = std::function<void(const FoundAddresses& found)>;

  /// `look_up` is called on threads of its own, maybe after this is gone.
  NameLookup(boost::asio::io_context& loop, std::string host, LookUp look_up = runtime::look_up);

  /// Calls back no more. A look-up under way comes to its end by itself.
  ~NameLookup();
  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;

  /// Calls `done` from the loop, once, as soon as the addresses are known. Waits for the look-up that is under way, if
  /// there is one; what it found after stop_waiting() is used here, once.
  void start(Done done);

  /// Does not call back; the look-up goes on.
  void stop_waiting() { done_ = nullptr; }

 private:
  struct Owner;

  void begin();
  void deliver();

  boost::asio::io_context& loop_;
  const std::string host_;
  const LookUp look_up_;
  const std::shared_ptr<Owner> owner_;  // shared with the thread
  bool under_way_ = false;
  std::optional<FoundAddresses> found_;
  Done done_;
};

}  // namespace tracker::runtime
