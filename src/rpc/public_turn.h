#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "counter/counter.h"
#include "domain/token_id.h"
#include "http2/session.h"
#include "rpc/flight.h"

namespace tracker::rpc {

class ServerConnection;
struct ServerMetrics;

/// The hits of the public calls that came in one turn of an event loop. They go to the counter in one batch for each
/// deadline. Loop thread only.
class PublicTurn {
 public:
  PublicTurn(boost::asio::io_context& loop, counter::Counter& counter, std::shared_ptr<Flight::Caller> caller,
             ServerMetrics& metrics);
  ~PublicTurn();

  /// Has a hit of a call counted within `time`. The call is answered and finished when its verdict comes. Returns false
  /// if too many hits are in flight. Then nothing was done.
  bool push(ServerConnection& connection, http2::StreamId call, std::chrono::milliseconds time,
            const domain::TokenId& id, std::string_view path);

  /// The caller in the flight for all public calls of the server together.
  const std::shared_ptr<Flight::Caller>& caller() const noexcept { return caller_; }

 private:
  class Batch;

  Batch& batch_for(std::chrono::milliseconds time);
  void send();
  void take_back(std::unique_ptr<Batch> batch);

  boost::asio::io_context& loop_;
  counter::Counter& counter_;
  ServerMetrics& metrics_;
  const std::shared_ptr<Flight::Caller> caller_;  // for all public calls of the server together
  std::vector<std::unique_ptr<Batch>> open_;      // of this turn
  std::vector<std::unique_ptr<Batch>> free_;      // reused
};

}  // namespace tracker::rpc
