#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "runtime/address.h"

namespace tracker::doors {

/// The HTTP listener beside the counted port, for those who run the service: /healthz, /readyz and /version.
/// Belongs to the thread that runs `context`.
class HealthDoor {
 public:
  /// `why_not_ready` answers nothing while the service is ready.
  struct Answers {
    std::string version;
    std::function<std::optional<std::string>()> why_not_ready;
  };

  /// Listens and serves. Throws boost::system::system_error if it cannot listen.
  HealthDoor(boost::asio::io_context& context, const runtime::Address& address, Answers answers);
  ~HealthDoor();

  boost::asio::ip::tcp::endpoint endpoint() const;

 private:
  class Server;
  std::shared_ptr<Server> server_;  // shared with its open connections
};

}  // namespace tracker::doors
