#include "rpc/server_connection.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "rpc/batch_message.h"
#include "rpc/health_calls.h"
#include "rpc/mint_call.h"
#include "rpc/own_counts_call.h"
#include "rpc/public_calls.h"
#include "rpc/reflection_call.h"
#include "rpc/route_lookup_call.h"
#include "rpc/server_loop.h"
#include "rpc/track_call.h"

namespace tracker::rpc {

namespace {

/// For a connection whose client is unknown or public. A request is a token and a path of up to 8 KiB.
constexpr http2::Limits public_limits{.streams_max = 1'000,
                                      .stream_window_bytes = 128 * 1024,
                                      .connection_window_bytes = 1024 * 1024,
                                      .field_bytes_max = 16 * 1024};
constexpr std::size_t public_message_bytes_max = 64 * 1024;

}  // namespace

ServerConnection::ServerConnection(ServerLoop& loop, std::unique_ptr<link::Transport> transport)
    : GrpcConnection(End::server, std::move(transport), public_limits), loop_(loop) {}

ServerConnection::~ServerConnection() = default;

std::shared_ptr<ServerConnection> ServerConnection::self() {
  return std::static_pointer_cast<ServerConnection>(shared_from_this());
}

void ServerConnection::on_greeted() {
  const bool is_envoy = first_setting_of_peer(tracker_setting.id).has_value();
  client_ = is_envoy ? Client::envoy : Client::foreign;
  if (is_envoy) {
    set_windows(track_window_bytes, track_window_bytes);
    caller_ = std::make_shared<Flight::Caller>(loop_.flight());
  }
  loop_.on_greeted(*this);
}

// Calls.

std::size_t ServerConnection::on_call(CallId id, std::string_view method,
                                      std::optional<std::chrono::milliseconds> timeout) {
  const auto time = std::min(timeout.value_or(loop_.request_deadline()), loop_.request_deadline());
  std::unique_ptr<ServerCall> call;
  if (client_ == Client::envoy) {
    if (method == "/tracker.v1.Counting/Track") call = std::make_unique<TrackCall>(*this, id);
    if (method == "/tracker.v1.Counting/Mint") call = std::make_unique<MintCall>(*this, id, time);
    if (method == "/tracker.v1.Counting/ReadOwnCounts")
      call = std::make_unique<OwnCountsCall>(*this, id, time);
  } else if (loop_.interface() == PublicInterface::counting &&
             method == "/manager_rpc.CounterService/UpdateCounter") {
    call = std::make_unique<UpdateCounterCall>(*this, id, time);
  } else if (loop_.interface() == PublicInterface::counting &&
             method == "/manager_rpc.CounterService/NewToken") {
    call = std::make_unique<NewTokenCall>(*this, id, time);
  } else if (loop_.interface() == PublicInterface::route_lookup &&
             method == "/grpc.lookup.v1.RouteLookupService/RouteLookup") {
    call = std::make_unique<RouteLookupCall>(*this, id, time);
  } else if (method == "/grpc.health.v1.Health/Check") {
    call = std::make_unique<HealthCheckCall>(*this, id, time);
  } else if (method == "/grpc.health.v1.Health/Watch") {
    call = std::make_unique<HealthWatchCall>(*this, id);
  } else if (method == "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" ||
             method == "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") {
    call = std::make_unique<ReflectionCall>(*this, id);
  }
  if (call == nullptr) {
    finish(id, {StatusCode::unimplemented, "the method is unknown here"});
  } else if (time.count() <= 0) {
    finish(id, status_of(domain::Failure::not_done));
  } else if (client_ != Client::envoy && !loop_.enter_call()) {
    finish(id, {StatusCode::unavailable, "too many calls are open; nothing was counted"});
  } else {
    calls_.emplace(id, std::move(call));
  }
  return client_ == Client::envoy ? track_message_bytes_max : public_message_bytes_max;
}

ServerCall* ServerConnection::find(CallId id) {
  const auto call = calls_.find(id);
  return call == calls_.end() ? nullptr : call->second.get();
}

void ServerConnection::on_message(CallId id, std::string_view message) {
  if (ServerCall* call = find(id)) call->on_message(message);
}

void ServerConnection::on_half_close(CallId id) {
  if (ServerCall* call = find(id)) call->on_half_close();
}

void ServerConnection::on_cancel(CallId id) {
  const auto call = calls_.find(id);
  if (call == calls_.end()) return;
  calls_.erase(call);
  if (client_ != Client::envoy) loop_.leave_calls(1);
  idle_since_ = runtime::Clock::now();
}

void ServerConnection::finish(CallId id, const Status& status) {
  if (client_ != Client::envoy) loop_.metrics().count_call(status.code);
  GrpcConnection::finish(id, status);
  on_cancel(id);
}

void ServerConnection::tell_readiness() {
  for (const auto& [id, call] : calls_) call->on_readiness();
  flush();
}

void ServerConnection::end() {
  const auto keep = self();
  std::vector<CallId> ids;
  for (const auto& [id, call] : calls_) ids.push_back(id);
  for (const CallId id : ids) {
    if (ServerCall* call = find(id)) call->on_end();
  }
  finish_all_and_close();
}

void ServerConnection::on_written() {
  if (client_ != Client::envoy)
    return;  // only an envoy's streams are held back, and a public client may have 1,000 calls
  for (const auto& [id, call] : calls_) call->on_written();
}

void ServerConnection::on_held() {
  const std::size_t before = std::exchange(held_bytes_, held_bytes());
  if (before != held_bytes_) loop_.on_held(*this, before);
}

void ServerConnection::on_lost(const std::string& /*reason*/) {
  if (client_ != Client::envoy) loop_.leave_calls(calls_.size());
  calls_.clear();
  loop_.leave(*this, std::exchange(held_bytes_, 0));
}

}  // namespace tracker::rpc
