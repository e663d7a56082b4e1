#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "counter/counter.h"
#include "domain/rate_bounds.h"
#include "doors/http_server.h"
#include "runtime/address.h"
#include "runtime/listener.h"
#include "runtime/log.h"

namespace tracker::doors {

struct SelfDoorSettings {
  std::vector<std::string> origins = {};  // whose pages browsers let ask, such as https://a.example; `*`: all
  std::size_t rate = 10;                  // requests a second, of each token
  std::chrono::milliseconds request_deadline{2'000};
};

/// The HTTP listener for customers of the API. Whoever has a token reads its counts by `GET /v1/self/counts`, and nothing
/// else. Belongs to the thread that runs `loop`.
class SelfDoor {
 public:
  /// Listens, and serves as soon as the loop runs. `counter` is asked in the loop's thread. Throws
  /// boost::system::system_error if it cannot listen.
  SelfDoor(boost::asio::io_context& loop, const runtime::Address& address, counter::Counter& counter,
           SelfDoorSettings settings);

  /// The loop must have stopped, and the counter must have ended.
  ~SelfDoor();

  /// How many connections each endpoint has at most.
  static constexpr std::size_t connections_max = 64;

  /// Where it listens: all addresses of a name.
  std::vector<runtime::Endpoint> endpoints() const;

  /// Accepts no more, and calls `drained` in the loop's thread when every read has its outcome. Any thread.
  void drain(std::function<void()> drained);

 private:
  class Server;
  struct Waiting;
  using Done = std::function<void(Response)>;

  void answer(const Request& request, Done done);
  std::optional<Response> refusal_of(const domain::TokenId& id);
  Response response_to(const counter::ReadOutcome& outcome);
  void end_drain();

  boost::asio::io_context& loop_;
  counter::Counter& counter_;
  const SelfDoorSettings settings_;
  domain::RateBounds rates_;  // of tokens, by their ids
  runtime::RareLog log_;
  std::size_t in_flight_ = 0;                     // reads that have no outcome yet
  std::function<void()> drained_;                 // null: it does not drain
  std::vector<std::shared_ptr<Server>> servers_;  // one for each address, shared with its open connections
};

}  // namespace tracker::doors
