#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/system/result.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "runtime/address.h"
#include "runtime/listener.h"
#include "runtime/name_lookup.h"

namespace tracker::runtime {

/// How long each step may take.
struct ConnectDeadlines {
  std::chrono::milliseconds look_up{2'000};
  std::chrono::milliseconds address{2'000};  // for each address
};

/// Connects to a peer by its name, as often as asked: looks up the name, and tries all its addresses, staggered
/// (address_race.h). If a look-up takes too long, the attempt fails; the look-up goes on, and the next attempt uses its
/// result. Belongs to the loop's thread. It must be destroyed there, or after the loop has stopped.
class Connector {
 public:
  /// A connected socket (non-blocking, with TCP_NODELAY and TCP keep-alive), or in words the step that failed or was
  /// slow, such as "connecting to 10.0.0.1:6379: Connection refused".
  using Outcome = boost::system::result<Socket, std::string>;
  using Done = std::function<void(Outcome outcome)>;

  Connector(boost::asio::io_context& loop, Address address, const ConnectDeadlines& deadlines = {},
            NameLookup::LookUp look_up = runtime::look_up);

  /// `done` is not called any more.
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  /// Begins an attempt. It ends with one call of `done` from the loop. There may be one attempt at a time.
  void connect(Done done);

 private:
  class Attempt;

  boost::asio::io_context& loop_;
  const Address address_;
  const ConnectDeadlines deadlines_;
  NameLookup lookup_;
  std::shared_ptr<Attempt> attempt_;  // the latest
};

}  // namespace tracker::runtime
