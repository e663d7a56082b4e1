#include "rpc/counter_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <thread>
#include <utility>

#include "rpc/server_loop.h"
#include "runtime/descriptor.h"

namespace tracker::rpc {

namespace {

constexpr auto accept_pause = std::chrono::milliseconds(100);
constexpr auto drain_poll = std::chrono::milliseconds(2);
constexpr auto time_to_hear = std::chrono::milliseconds(200);
constexpr auto time_to_turn_away = std::chrono::milliseconds(1'000);
constexpr auto quiet = std::chrono::milliseconds(50);  // no refusals for this long

/// A peer whose machine or network vanished is noticed after a minute, whether data was on its way to it or not.
constexpr int keep_alive_idle_s = 30;
constexpr int keep_alive_pause_s = 10;
constexpr int keep_alive_probes = 3;
constexpr int not_acknowledged_ms = 60'000;
template <int name>
using TcpOption = boost::asio::detail::socket_option::integer<IPPROTO_TCP, name>;

/// Accepted sockets inherit these options.
void keep_alive(runtime::Acceptor& acceptor) {
  acceptor.set_option(boost::asio::socket_base::keep_alive(true));
  acceptor.set_option(TcpOption<TCP_KEEPIDLE>(keep_alive_idle_s));
  acceptor.set_option(TcpOption<TCP_KEEPINTVL>(keep_alive_pause_s));
  acceptor.set_option(TcpOption<TCP_KEEPCNT>(keep_alive_probes));
  acceptor.set_option(TcpOption<TCP_USER_TIMEOUT>(not_acknowledged_ms));
}

}  // namespace

struct CounterServer::Parts {
  Parts(const std::vector<boost::asio::io_context*>& contexts, const runtime::Address& address,
        counter::Counter& counter, const CounterServerSettings& its_settings)
      : settings(its_settings),
        flight(std::make_shared<Flight>(settings.hits_max)),
        acceptors(runtime::listen(*contexts.front(), address)) {
    const auto public_caller = std::make_shared<Flight::Caller>(flight);
    for (auto* context : contexts)
      loops.push_back(std::make_unique<ServerLoop>(*context, counter, public_caller, settings, use));
    for (const auto& loop : loops) use.loops.push_back(loop.get());
    for (auto& acceptor : acceptors) {
      keep_alive(acceptor);
      pauses.emplace_back(*contexts.front());
    }
    for (std::size_t i = 0; i < acceptors.size(); ++i) accept(acceptors[i], pauses[i]);
  }

  /// Runs in the first loop's thread. Each connection goes to the next loop.
  void accept(runtime::Acceptor& acceptor, boost::asio::steady_timer& pause) {
    acceptor.async_accept([&](boost::system::error_code error, runtime::Socket socket) {
      if (!acceptor.is_open()) return;
      if (!error) {
        hand_over(std::move(socket));
        return accept(acceptor, pause);
      }
      use.accept_log.met(
          runtime::Clock::now(),
          "connections to the counter's port wait, since none can be accepted: " + error.message());
      pause.expires_after(accept_pause);  // no descriptors or memory: other connections must end first
      pause.async_wait([&](boost::system::error_code cancelled) {
        if (!cancelled && acceptor.is_open()) accept(acceptor, pause);
      });
    });
  }

  /// Only a loop's own thread may touch its sockets (runtime::Workers). So another loop gets the descriptor.
  void hand_over(runtime::Socket socket) {
    ServerLoop& loop = *loops[next_loop++ % loops.size()];
    if (&loop == loops.front().get()) return loop.take(std::move(socket));
    boost::system::error_code error;
    const auto protocol = socket.local_endpoint(error).protocol();
    if (error) return;
    runtime::Descriptor descriptor(socket.release(error));
    boost::asio::post(loop.context(), [&loop, protocol, descriptor = std::move(descriptor)]() mutable {
      runtime::Socket its(loop.context());
      boost::system::error_code not_assigned;
      its.assign(protocol, descriptor.number(), not_assigned);
      if (not_assigned) return;
      descriptor.release();
      loop.take(std::move(its));
    });
  }

  /// Stops accepting. Waits until that is done.
  void close() {
    boost::asio::dispatch(acceptors.front().get_executor(), boost::asio::use_future([this] {
                            boost::system::error_code ignored;
                            for (auto& acceptor : acceptors) acceptor.close(ignored);
                          }))
        .wait();
  }

  void announce_end(const std::string& why) {
    for (const auto& loop : loops) loop->announce_end(why);
  }

  const CounterServerSettings settings;
  const std::shared_ptr<Flight> flight;
  ServerUse use;
  std::vector<std::unique_ptr<ServerLoop>> loops;
  std::vector<runtime::Acceptor> acceptors;
  std::vector<boost::asio::steady_timer> pauses;  // one for each acceptor
  std::size_t next_loop = 0;
};

CounterServer::CounterServer(const std::vector<boost::asio::io_context*>& loops,
                             const runtime::Address& address, counter::Counter& counter,
                             const CounterServerSettings& settings)
    : parts_(std::make_unique<Parts>(loops, address, counter, settings)),
      endpoints_(runtime::endpoints_of(parts_->acceptors)) {}

CounterServer::~CounterServer() = default;

void CounterServer::set_readiness(const domain::Readiness& readiness) {
  for (const auto& loop : parts_->loops) loop->set_readiness(readiness);
}

void CounterServer::set_facts(const counter::CounterFacts& facts) {
  parts_->use.envoy_lists->set_own(facts.adopted);
  for (const auto& loop : parts_->loops) loop->set_facts(facts);
}

const counter::ReadinessSource& CounterServer::envoy_lists() const noexcept {
  return parts_->use.envoy_lists->remarks();
}

void CounterServer::announce_end() {
  for (const auto& loop : parts_->loops) loop->announce_not_serving();
}

void CounterServer::report(metrics::Page& page) const {
  const bool counts = parts_->settings.interface == PublicInterface::counting;
  for (const auto& loop : parts_->loops) {
    const auto& metrics = std::as_const(*loop).metrics();
    metrics.report_port(page);
    if (counts) metrics.report_counting(page);
  }
  const auto gauge = [&page](const char* name, const char* help, const metrics::Labels& labels,
                             std::size_t value) {
    page.gauge(name, help, labels, static_cast<double>(value));
  };
  const auto connections = [&](const char* client, std::size_t open, std::size_t limit) {
    gauge("tracker_grpc_connections", "Open connections to the counter's port.", {{"client", client}}, open);
    gauge("tracker_grpc_connections_limit", "The most that may be open.", {{"client", client}}, limit);
  };
  const auto& use = parts_->use;
  const auto& settings = parts_->settings;
  connections("envoy", use.envoy_connections, settings.envoy_connections_max);
  connections("public", use.public_connections, settings.connections_max);
  connections("unknown", use.unknown_connections, settings.unknown_connections_max());
  if (!counts) return;
  gauge("tracker_grpc_hits_in_flight", "Hits and mints that came by gRPC and wait for their verdicts.", {},
        parts_->flight->hits());
  gauge("tracker_grpc_hits_in_flight_limit", "The most that may wait at once.", {}, settings.hits_max);
}

void CounterServer::drain(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const auto wait_while = [deadline](const auto& condition) {
    while (condition() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(drain_poll);
  };
  const auto& use = parts_->use;
  // Clients have a moment to go elsewhere. Nobody is refused meanwhile.
  parts_->announce_end("it is shutting down");
  const auto announced = std::chrono::steady_clock::now() + time_to_hear;
  wait_while([&] { return use.connections() > 0 && std::chrono::steady_clock::now() < announced; });
  // New calls are refused from now on. Clients that are still here have a moment to leave by themselves.
  parts_->flight->drain();
  for (const auto& loop : parts_->loops)
    loop->set_readiness(domain::Readiness::not_ready("it is shutting down"));
  const auto patience_ends = std::chrono::steady_clock::now() + time_to_turn_away;
  for (auto refused = parts_->flight->refused();
       use.connections() > 0 && std::chrono::steady_clock::now() < patience_ends;) {
    std::this_thread::sleep_for(quiet);
    if (refused == std::exchange(refused, parts_->flight->refused())) break;
  }
  wait_while([&] { return parts_->flight->hits() > 0; });
  for (const auto& loop : parts_->loops) loop->end_connections();
  wait_while([&] { return use.connections() > 0; });
  parts_->close();
}

}  // namespace tracker::rpc
