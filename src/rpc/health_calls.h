#pragma once

#include <string>
#include <string_view>

#include "rpc/public_calls.h"

namespace tracker::rpc {

/// grpc.health.v1.Health/Check: whether hits can be counted, for "" and for manager_rpc.CounterService.
class HealthCheckCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void on_request(std::string_view request) override;
};

/// grpc.health.v1.Health/Watch: the same now and after each change. Lasts until the client ends it.
class HealthWatchCall final : public ServerCall {
 public:
  HealthWatchCall(ServerConnection& connection, GrpcConnection::CallId id)
      : connection_(connection), id_(id) {}

  void on_message(std::string_view message) override;
  void on_half_close() override;
  void on_readiness() override;
  void on_end() override;

 private:
  void tell();

  ServerConnection& connection_;
  const GrpcConnection::CallId id_;
  bool asked_ = false;
  std::string service_;
  int told_ = -1;  // the status that was told last
};

}  // namespace tracker::rpc
