#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "domain/failure.h"
#include "domain/verdict.h"
#include "rpc/server_connection.h"

namespace tracker::rpc {

/// A call of one request and one response. It is worked on when the client has sent its only message and ended its side.
class UnaryCall : public ServerCall {
 public:
  UnaryCall(ServerConnection& connection, GrpcConnection::CallId id) : connection_(connection), id_(id) {}

  void on_message(std::string_view message) final;
  void on_half_close() final;

 protected:
  /// The whole request has come. Last of all: the call may be finished, and gone, at its end.
  virtual void on_request(std::string_view request) = 0;
  void finish(const Status& status) { connection_.finish(id_, status); }

  ServerConnection& connection_;
  const GrpcConnection::CallId id_;

 private:
  std::optional<std::string> request_;
};

/// manager_rpc.CounterService/UpdateCounter: one hit, in the loop's turn.
class UpdateCounterCall final : public UnaryCall {
 public:
  /// `time`: how long its caller waits, at most.
  UpdateCounterCall(ServerConnection& connection, GrpcConnection::CallId id, std::chrono::milliseconds time)
      : UnaryCall(connection, id), time_(time) {}

 private:
  void on_request(std::string_view request) override;

  const std::chrono::milliseconds time_;
};

/// Answers a call of UpdateCounter with the verdict on its hit.
void answer_update(ServerConnection& connection, GrpcConnection::CallId call, const domain::Verdict& verdict);

/// manager_rpc.CounterService/NewToken.
class NewTokenCall final : public UnaryCall {
 public:
  NewTokenCall(ServerConnection& connection, GrpcConnection::CallId id, std::chrono::milliseconds time)
      : UnaryCall(connection, id), time_(time) {}

 private:
  void on_request(std::string_view request) override;

  const std::chrono::milliseconds time_;
};

/// What a failure looks like to a public caller.
Status status_of(domain::Failure failure);

}  // namespace tracker::rpc
