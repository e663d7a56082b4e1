#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "rpc/flight.h"
#include "rpc/grpc_connection.h"
#include "rpc/server_call.h"

namespace tracker::rpc {

class ServerLoop;

/// One client's connection to the counter's port. Belongs to its loop's thread. Invariants:
/// 1. Its first settings say whether it is one of tracker's own envoys. No call comes before them.
/// 2. A call is in calls_ until it is finished, cancelled or lost. Work handed on holds the connection and the call's
///    id. Its answer is dropped if the call is over.
/// 3. A connection that keeps too much, or stalls, is dropped by its loop.
class ServerConnection final : public GrpcConnection {
 public:
  enum class Client : std::uint8_t {
    unknown,  // its first settings have not come
    foreign,  // any gRPC client: manager_rpc, health, reflection
    envoy,    // tracker's own: tracker.v1
  };

  ServerConnection(ServerLoop& loop, std::unique_ptr<link::Transport> transport);
  ~ServerConnection() override;

  Client client() const noexcept { return client_; }
  ServerLoop& loop() noexcept { return loop_; }
  /// The envoy's caller in the flight.
  const std::shared_ptr<Flight::Caller>& caller() const noexcept { return caller_; }

  // For its calls.
  using GrpcConnection::closed;
  using GrpcConnection::new_message;
  using GrpcConnection::send_message;
  using GrpcConnection::take_more;
  using GrpcConnection::waiting_bytes;
  /// Ends a call after what was sent, and destroys its ServerCall. So a call that finishes itself must return at once.
  /// Does nothing if the call is over.
  void finish(CallId call, const Status& status);
  /// Returns null if the call is over.
  ServerCall* find(CallId call);
  std::shared_ptr<ServerConnection> self();

  // For its loop.
  using GrpcConnection::has_calls;
  using GrpcConnection::heard_at;
  using GrpcConnection::held_bytes;
  using GrpcConnection::stalled_since;
  using GrpcConnection::unsent_bytes;
  void tell_readiness();
  /// Closes once everything that it has taken is answered.
  void end();
  /// Returns when its last call ended, or when the connection began.
  runtime::Clock::time_point idle_since() const noexcept { return idle_since_; }
  runtime::Clock::time_point began_at() const noexcept { return began_at_; }
  /// When it was asked to end because it was idle.
  std::optional<runtime::Clock::time_point> asked_to_end;

 private:
  std::size_t on_call(CallId call, std::string_view method,
                      std::optional<std::chrono::milliseconds> timeout) override;
  void on_message(CallId call, std::string_view message) override;
  void on_half_close(CallId call) override;
  void on_cancel(CallId call) override;
  void on_greeted() override;
  void on_written() override;
  void on_held() override;
  void on_lost(const std::string& reason) override;

  ServerLoop& loop_;
  Client client_ = Client::unknown;
  std::shared_ptr<Flight::Caller> caller_;  // of an envoy
  std::unordered_map<CallId, std::unique_ptr<ServerCall>> calls_;
  std::size_t held_bytes_ = 0;  // as last told to the loop
  const runtime::Clock::time_point began_at_ = runtime::Clock::now();
  runtime::Clock::time_point idle_since_ = began_at_;
};

}  // namespace tracker::rpc
