#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/system/result.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tracker::runtime {

/// The result of a look-up: one address or more, in the order in which the system would try them, or in words why there
/// are none.
using FoundAddresses = boost::system::result<std::vector<boost::asio::ip::address>, std::string>;

/// Asks the system's resolver (getaddrinfo(3)), and blocks as long as that takes. The empty host means this machine.
/// Any thread.
FoundAddresses look_up(const std::string& host);

/// Looks up one name, as often as asked, one look-up at a time. Each look-up has a thread of its own, so a slow name
/// server delays nobody else. The end of the process does not wait for that thread. A numeric host needs no look-up.
/// Belongs to the loop's thread. It must be destroyed there, or after the loop has stopped.
class NameLookup {
 public:
  using LookUp = std::function<FoundAddresses(const std::string& host)>;
  using Done = std::function<void(const FoundAddresses& found)>;

  /// `look_up` is called on other threads, perhaps after this object is gone.
  NameLookup(boost::asio::io_context& loop, std::string host, LookUp look_up = runtime::look_up);

  /// `done` is not called any more. A running look-up ends by itself.
  ~NameLookup();
  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;

  /// Calls `done` from the loop, once, when the addresses are known. Joins the look-up that is running, if there is
  /// one. Uses the result of a look-up that ended after stop_waiting(), once.
  void start(Done done);

  /// `done` will not be called. The look-up goes on.
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
