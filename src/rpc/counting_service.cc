#include "rpc/counting_service.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "rpc/envoy_connection.h"

namespace tracker::rpc {

CountingService::CountingService(boost::asio::io_context& loop, counter::Counter& counter, Flight& flight,
                                 std::string version, std::chrono::milliseconds request_deadline)
    : loop_(loop),
      counter_(counter),
      flight_(flight),
      version_(std::move(version)),
      request_deadline_(request_deadline) {}

CountingService::~CountingService() {
  for (const auto& connection : connections_) connection->close();
}

void CountingService::take(runtime::Socket socket) {
  const auto connection = std::make_shared<EnvoyConnection>(*this, std::move(socket));
  connections_.insert(connection);
  ++count_;
  connection->begin();
  if (ending_) connection->end();
}

void CountingService::set_readiness(const std::string& why_not) {
  boost::asio::post(loop_, [this, why_not] {
    if (why_not == why_not_ready_) return;
    why_not_ready_ = why_not;
    for (const auto& connection : std::vector(connections_.begin(), connections_.end())) {
      connection->set_readiness(why_not);
    }
  });
}

void CountingService::end_connections() {
  boost::asio::post(loop_, [this] {
    ending_ = true;
    for (const auto& connection : std::vector(connections_.begin(), connections_.end())) connection->end();
  });
}

void CountingService::leave(EnvoyConnection& connection) {
  connections_.erase(std::static_pointer_cast<EnvoyConnection>(connection.shared_from_this()));
  --count_;
}

}  // namespace tracker::rpc
