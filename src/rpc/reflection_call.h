#pragma once

#include <string_view>

#include "rpc/server_connection.h"

namespace tracker::rpc {

/// grpc.reflection.v1alpha and v1, ServerReflectionInfo: the public services and their descriptors. The two packages
/// have the same messages. tracker.v1 is not public.
class ReflectionCall final : public ServerCall {
 public:
  ReflectionCall(ServerConnection& connection, GrpcConnection::CallId id)
      : connection_(connection), id_(id) {}

  void on_message(std::string_view message) override;
  void on_half_close() override { connection_.finish(id_, {}); }
  void on_end() override { connection_.finish(id_, {}); }

 private:
  ServerConnection& connection_;
  const GrpcConnection::CallId id_;
};

}  // namespace tracker::rpc
