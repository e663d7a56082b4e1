#include "rpc/counting_service.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "rpc/envoy_connection.h"

namespace tracker::rpc {

namespace {

constexpr std::size_t mebibyte = 1024 * 1024;

/// What all connections may keep of messages that have not come whole, and of answers that are not taken.
constexpr std::size_t held_bytes_max = 128 * mebibyte;
/// What one may keep of answers: those to several of the longest messages, of which an envoy sends one at a time.
constexpr std::size_t unsent_bytes_max = 4 * mebibyte;
constexpr std::size_t batch_bytes_max = 128 * mebibyte;

constexpr auto look_pause = std::chrono::seconds(1);
/// For the rest of a message, and for a client that takes nothing of its answers.
constexpr auto stalled_max = std::chrono::seconds(10);
/// An envoy asks several times a second whether anybody is there.
constexpr auto silent_max = std::chrono::seconds(60);

}  // namespace

CountingService::CountingService(boost::asio::io_context& loop, counter::Counter& counter,
                                 std::shared_ptr<Flight> flight, std::string version,
                                 std::chrono::milliseconds request_deadline, std::size_t connections_max)
    : loop_(loop),
      counter_(counter),
      flight_(std::move(flight)),
      version_(std::move(version)),
      request_deadline_(request_deadline),
      connections_max_(connections_max),
      look_timer_(loop) {
  boost::asio::post(loop_, [this] { look_now_and_then(); });
}

CountingService::~CountingService() {
  for (const auto& connection : connections_) connection->close();
}

void CountingService::take(runtime::Socket socket) {
  if (connections_.size() >= connections_max_) {
    return full_log_.met(runtime::Clock::now(),
                         "there are " + std::to_string(connections_max_) +
                             " connections of envoys, and no room for more: others are closed at once");
  }
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
    for (const auto& connection : connections()) {
      connection->set_readiness(why_not);
    }
  });
}

void CountingService::announce_end(const std::string& why) {
  boost::asio::post(loop_, [this, why] {
    why_ending_ = why;
    for (const auto& connection : connections()) connection->announce_end();
  });
}

void CountingService::end_connections() {
  boost::asio::post(loop_, [this] {
    ending_ = true;
    for (const auto& connection : connections()) connection->end();
  });
}

void CountingService::leave(EnvoyConnection& connection, std::size_t held_bytes) {
  held_bytes_ -= held_bytes;
  connections_.erase(std::static_pointer_cast<EnvoyConnection>(connection.shared_from_this()));
  --count_;
}

std::vector<std::shared_ptr<EnvoyConnection>> CountingService::connections() const {
  return {connections_.begin(), connections_.end()};
}

void CountingService::on_held(EnvoyConnection& connection, std::size_t before) {
  held_bytes_ += connection.held_bytes() - before;  // also where it becomes less
  const bool too_many = held_bytes_ > held_bytes_max || connection.unsent_bytes() > unsent_bytes_max;
  // Soon, but not now: whoever calls is still at work on a connection.
  if (!too_many || std::exchange(dropping_, true)) return;
  boost::asio::post(loop_, [this] {
    dropping_ = false;
    drop_who_keeps_most();
  });
}

bool CountingService::enter_flight(std::size_t batch_bytes) {
  if (batch_bytes_ + batch_bytes > batch_bytes_max) return false;
  batch_bytes_ += batch_bytes;
  return true;
}

void CountingService::drop_who_keeps_most() {
  std::vector<std::pair<runtime::Clock::time_point, std::shared_ptr<EnvoyConnection>>> stalled;
  for (const auto& connection : connections()) {
    if (connection->unsent_bytes() > unsent_bytes_max) {
      drop(*connection, "it does not read its answers");
    } else if (const auto since = connection->stalled_since()) {
      stalled.emplace_back(*since, connection);
    }
  }
  std::sort(stalled.begin(), stalled.end());
  for (const auto& [since, connection] : stalled) {
    if (held_bytes_ <= held_bytes_max) return;
    drop(*connection, "others need the memory that its unfinished messages and unread answers take");
  }
}

void CountingService::look_now_and_then() {
  drop_stalled();
  look_timer_.expires_after(look_pause);
  look_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) look_now_and_then();
  });
}

void CountingService::drop_stalled() {
  const auto now = runtime::Clock::now();
  for (const auto& connection : connections()) {
    const auto since = connection->stalled_since();
    if (since && now - *since > stalled_max) {
      drop(*connection, "for 10 s it owed the rest of a message, or did not read its answers");
    } else if (now - connection->heard_at() > silent_max) {
      drop(*connection, "it said nothing for 60 s");
    }
  }
}

void CountingService::drop(EnvoyConnection& connection, const std::string& reason) {
  dropped_log_.met(runtime::Clock::now(), "the connection of an envoy is dropped: " + reason);
  connection.lose(reason);
}

}  // namespace tracker::rpc
