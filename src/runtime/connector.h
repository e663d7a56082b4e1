#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "runtime/address.h"
#include "runtime/listener.h"
#include "runtime/name_lookup.h"

namespace tracker::runtime {

/// Each step has a time of its own.
struct ConnectDeadlines {
  std::chrono::milliseconds look_up{2'000};
  std::chrono::milliseconds address{2'000};  // of each
};

/// Connects to a peer that others have named, again and again: looks up its name, and tries all its addresses,
/// staggered (address_race.h). A look-up that takes longer than its time fails the attempt, goes on, and serves the
/// next one. Belongs to the loop's thread, and is destroyed there or when the loop has stopped.
class Connector {
 public:
  /// A socket that is connected (not blocking, without Nagle's delay, with TCP keep-alive); or one that is not, and
  /// the step that failed or was slow, such as "connecting to 10.0.0.1:6379: Connection refused".
  using Done = std::function<void(Socket socket, const std::string& trouble)>;

  Connector(boost::asio::io_context& loop, Address address, const ConnectDeadlines& deadlines = {},
            NameLookup::LookUp look_up = runtime::look_up);

  /// Calls back no more.
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  /// One attempt, which ends by calling `done` from the loop, once. One at a time.
  void connect(Done done);

 private:
  class Attempt;

  boost::asio::io_context& loop_;
  const Address address_;
  const ConnectDeadlines deadlines_;
  NameLookup lookup_;
  std::shared_ptr<Attempt> attempt_;  // the last one
};

}  // namespace tracker::runtime
