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

/// A call with one request and one response. It is handled when the client has sent its only message and ended its
/// side.
class UnaryCall : public ServerCall {
 public:
  /// `time` is the longest that its caller waits.
  UnaryCall(ServerConnection& connection, GrpcConnection::CallId id, std::chrono::milliseconds time)
      : connection_(connection), id_(id), time_(time) {}

  void on_message(std::string_view message) final;
  void on_half_close() final;

 protected:
  /// Called with the whole request. The call may be finished and destroyed afterwards.
  virtual void on_request(std::string_view request) = 0;
  void finish(const Status& status) { connection_.finish(id_, status); }

  ServerConnection& connection_;
  const GrpcConnection::CallId id_;
  const std::chrono::milliseconds time_;

 private:
  std::optional<std::string> request_;
};

/// manager_rpc.CounterService/UpdateCounter: one hit, which joins the loop's turn.
class UpdateCounterCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void on_request(std::string_view request) override;
};

/// Answers a call of UpdateCounter with the verdict on its hit.
/// `owner` is in words who counts the hit, if that is another counter.
void answer_update(ServerConnection& connection, GrpcConnection::CallId call, const domain::Verdict& verdict,
                   const std::optional<std::string>& owner = std::nullopt);

/// manager_rpc.CounterService/NewToken.
class NewTokenCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void on_request(std::string_view request) override;
};

/// Returns the status that a public caller gets for a failure.
Status status_of(domain::Failure failure);

}  // namespace tracker::rpc
