#pragma once

#include <string_view>

#include "rpc/public_calls.h"

namespace tracker::rpc {

/// grpc.lookup.v1.RouteLookupService/RouteLookup: the address of the counter that owns a token, for clients that send
/// their calls there themselves. The key map is {"token": "c6f6..."} or {"slot": "42"}.
class RouteLookupCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void on_request(std::string_view request) override;
};

}  // namespace tracker::rpc
