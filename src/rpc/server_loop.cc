#include "rpc/server_loop.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "link/tcp_transport.h"

namespace tracker::rpc {

namespace {

constexpr std::size_t mebibyte = 1024 * 1024;

/// The bound for all connections of a server together, of incomplete messages and of answers that are not taken.
constexpr std::size_t held_bytes_max = 128 * mebibyte;
/// The bound for the answers that one connection keeps: those to several of the longest messages. An envoy sends one
/// message at a time.
constexpr std::size_t unsent_bytes_max = 4 * mebibyte;
constexpr std::size_t batch_bytes_max = 128 * mebibyte;
/// Open calls of public clients on all connections. A call takes about 2 KiB.
constexpr std::size_t public_calls_max = 100'000;

constexpr auto look_pause = std::chrono::seconds(1);
/// The limit for a client's first settings, for the rest of a message, and for reading answers.
constexpr auto stalled_max = std::chrono::seconds(10);
/// An envoy asks several times a second whether the counter is there.
constexpr auto envoy_silent_max = std::chrono::seconds(60);
/// The time between the two steps of ending an idle connection. A call that crosses the first step is served.
constexpr auto time_to_hear = std::chrono::seconds(2);

}  // namespace

ServerLoop::ServerLoop(boost::asio::io_context& loop, counter::Counter& counter,
                       std::shared_ptr<Flight::Caller> public_caller, const CounterServerSettings& settings,
                       ServerUse& use)
    : loop_(loop),
      counter_(counter),
      settings_(settings),
      use_(use),
      turn_(loop, counter, std::move(public_caller), metrics_),
      look_timer_(loop) {
  boost::asio::post(loop_, [this] { look_now_and_then(); });
}

ServerLoop::~ServerLoop() {
  for (const auto& connection : connections_) connection->close();
}

std::vector<std::shared_ptr<ServerConnection>> ServerLoop::connections() const {
  return {connections_.begin(), connections_.end()};
}

std::atomic<std::size_t>& ServerLoop::count_of(ServerConnection::Client client) {
  switch (client) {
    case ServerConnection::Client::unknown:
      return use_.unknown_connections;
    case ServerConnection::Client::foreign:
      return use_.public_connections;
    case ServerConnection::Client::envoy:
      break;
  }
  return use_.envoy_connections;
}

// Connections come and go.

void ServerLoop::take(runtime::Socket socket) {
  const std::size_t unknown_max = settings_.unknown_connections_max() / use_.loops.size();
  if (unknown_connections_ >= std::max<std::size_t>(1, unknown_max)) drop_oldest_unknown();
  const auto connection =
      std::make_shared<ServerConnection>(*this, std::make_unique<link::TcpTransport>(std::move(socket)));
  connections_.insert(connection);
  metrics_.accepted.add();
  ++use_.unknown_connections;
  ++unknown_connections_;
  connection->begin();
}

void ServerLoop::drop_oldest_unknown() {
  std::shared_ptr<ServerConnection> oldest;
  for (const auto& connection : connections_) {
    if (connection->client() != ServerConnection::Client::unknown) continue;
    if (oldest == nullptr || connection->began_at() < oldest->began_at()) oldest = connection;
  }
  if (oldest == nullptr) return;
  drop(*oldest, "others wait, and it has not sent its first settings");
}

/// Called when the client of a connection becomes known.
void ServerLoop::on_greeted(ServerConnection& connection) {
  const bool is_envoy = connection.client() == ServerConnection::Client::envoy;
  const std::size_t count = ++count_of(connection.client());
  --use_.unknown_connections;
  --unknown_connections_;
  if (count > (is_envoy ? settings_.envoy_connections_max : settings_.connections_max)) {
    use_.full_log.met(
        runtime::Clock::now(),
        is_envoy ? "there are " + std::to_string(settings_.envoy_connections_max) +
                       " connections of envoys, the most that the port takes: others are closed at once"
                 : "--counter-connections-max " + std::to_string(settings_.connections_max) +
                       " is reached: other gRPC clients' connections are closed at once");
    return connection.lose("there are too many connections");
  }
  if (connections_end_) {
    connection.end();
  } else if (ending_) {
    connection.announce_end();
  }
}

void ServerLoop::leave(ServerConnection& connection, std::size_t held_bytes) {
  use_.held_bytes -= held_bytes;
  held_bytes_ -= held_bytes;
  if (connection.client() == ServerConnection::Client::unknown) --unknown_connections_;
  --count_of(connection.client());
  connections_.erase(connection.self());
}

bool ServerLoop::enter_call() {
  if (++use_.public_calls <= public_calls_max) return true;
  --use_.public_calls;
  return false;
}

// Messages from the service.

void ServerLoop::set_readiness(const domain::Readiness& readiness) {
  boost::asio::post(loop_, [this, readiness] {
    if (readiness == readiness_) return;
    readiness_ = readiness;
    for (const auto& connection : connections()) connection->tell_readiness();
  });
}

void ServerLoop::set_facts(const counter::CounterFacts& facts) {
  boost::asio::post(loop_, [this, facts] {
    if (facts == facts_) return;
    facts_ = facts;
    for (const auto& connection : connections()) connection->tell_readiness();
  });
}

void ServerLoop::announce_not_serving() {
  boost::asio::post(loop_, [this] {
    not_serving_ = true;
    for (const auto& connection : connections()) connection->tell_readiness();
  });
}

void ServerLoop::announce_end(const std::string& why) {
  boost::asio::post(loop_, [this, why] {
    ending_ = domain::Readiness::not_ready(why);
    for (const auto& connection : connections()) connection->announce_end();
  });
}

void ServerLoop::end_connections() {
  boost::asio::post(loop_, [this] {
    connections_end_ = true;
    for (const auto& connection : connections()) connection->end();
  });
}

// Memory of connections.

void ServerLoop::on_held(ServerConnection& connection, std::size_t before) {
  const std::size_t more = connection.held_bytes() - before;  // correct also for a decrease
  held_bytes_ += more;
  if ((use_.held_bytes += more) > held_bytes_max) {
    for (auto* loop : use_.loops) loop->drop_soon();
  } else if (connection.unsent_bytes() > unsent_bytes_max) {
    drop_soon();
  }
}

/// Any thread. Not now, because the caller is still working on a connection.
void ServerLoop::drop_soon() {
  if (dropping_.exchange(true)) return;
  boost::asio::post(loop_, [this] {
    dropping_ = false;
    drop_who_keeps_most();
  });
}

bool ServerLoop::enter_batch(std::size_t bytes) {
  if ((use_.batch_bytes += bytes) <= batch_bytes_max) return true;
  use_.batch_bytes -= bytes;
  return false;
}

void ServerLoop::drop_who_keeps_most() {
  std::vector<std::pair<runtime::Clock::time_point, std::shared_ptr<ServerConnection>>> stalled;
  for (const auto& connection : connections()) {
    if (connection->unsent_bytes() > unsent_bytes_max) {
      drop(*connection, "it does not read its answers");
    } else if (const auto since = connection->stalled_since()) {
      stalled.emplace_back(*since, connection);
    }
  }
  std::sort(stalled.begin(), stalled.end());
  const std::size_t share = held_bytes_max / use_.loops.size();
  for (const auto& [since, connection] : stalled) {
    if (use_.held_bytes <= held_bytes_max || held_bytes_ <= share) return;
    if (connection->held_bytes() == 0) continue;
    drop(*connection, "others need the memory that its unfinished messages and unread answers take");
  }
}

void ServerLoop::look_now_and_then() {
  const auto now = runtime::Clock::now();
  for (const auto& connection : connections()) look_at(*connection, now);
  look_timer_.expires_after(look_pause);
  look_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) look_now_and_then();
  });
}

void ServerLoop::look_at(ServerConnection& connection, runtime::Clock::time_point now) {
  using Client = ServerConnection::Client;
  if (connection.client() == Client::unknown) {
    if (now - connection.began_at() > stalled_max)
      drop(connection, "its first settings did not come within 10 s");
    return;
  }
  const auto since = connection.stalled_since();
  if (since && now - *since > stalled_max)
    return drop(connection, "for 10 s it owed the rest of a message, or did not read its answers");
  if (connection.client() == Client::envoy) {
    if (now - connection.heard_at() > envoy_silent_max) drop(connection, "it said nothing for 60 s");
  } else if (connection.asked_to_end) {
    if (now - *connection.asked_to_end > time_to_hear) connection.end();
  } else if (!connection.has_calls() && now - connection.idle_since() > settings_.idle_deadline) {
    connection.asked_to_end = now;
    connection.announce_end();
  }
}

void ServerLoop::drop(ServerConnection& connection, const std::string& reason) {
  use_.dropped_log.met(runtime::Clock::now(), "a connection to the counter's port is dropped: " + reason);
  metrics_.dropped.add();
  connection.lose(reason);
}

}  // namespace tracker::rpc
