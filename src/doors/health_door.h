#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "domain/readiness.h"
#include "metrics/page.h"
#include "runtime/address.h"
#include "runtime/listener.h"

namespace tracker::doors {

/// The HTTP listener beside the counted port, for those who run the service: /healthz, /readyz, /version and /metrics.
/// Belongs to the thread that runs `context`. A scrape is answered by a thread of its own, so that no other answer waits
/// for it.
class HealthDoor {
 public:
  /// Adds to a page of metrics what the service measures. Called on the thread for scrapes, until the door is
  /// destroyed.
  using Report = std::function<void(metrics::Page& page)>;

  /// Listens and serves. Throws boost::system::system_error if it cannot listen, and std::system_error if the machine
  /// refuses the thread.
  HealthDoor(boost::asio::io_context& context, const runtime::Address& address, std::string version,
             domain::Readiness readiness, Report report);
  ~HealthDoor();

  /// What /readyz answers from now on.
  void set_readiness(const domain::Readiness& readiness);

  /// Where it listens: all addresses of a name.
  std::vector<runtime::Endpoint> endpoints() const;

 private:
  struct Answers;
  class Scrapes;
  class Server;
  const std::shared_ptr<Answers> answers_;  // shared with the servers
  const std::unique_ptr<Scrapes> scrapes_;
  std::vector<std::shared_ptr<Server>> servers_;  // one for each address, shared with its open connections
};

}  // namespace tracker::doors
