#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "domain/readiness.h"
#include "runtime/address.h"
#include "runtime/listener.h"

namespace tracker::doors {

/// The HTTP listener beside the counted port, for those who run the service: /healthz, /readyz and /version. Belongs to
/// the thread that runs `context`.
class HealthDoor {
 public:
  /// Listens and serves. Throws boost::system::system_error if it cannot listen.
  HealthDoor(boost::asio::io_context& context, const runtime::Address& address, std::string version,
             domain::Readiness readiness);
  ~HealthDoor();

  /// What /readyz answers from now on.
  void set_readiness(const domain::Readiness& readiness);

  /// Where it listens: all addresses of a name.
  std::vector<runtime::Endpoint> endpoints() const;

 private:
  struct Answers;
  class Server;
  const std::shared_ptr<Answers> answers_;        // shared with the servers
  std::vector<std::shared_ptr<Server>> servers_;  // one for each address, shared with its open connections
};

}  // namespace tracker::doors
