#pragma once

#include <boost/system/result.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include "domain/failure.h"
#include "domain/token.h"
#include "rpc/public_calls.h"

namespace tracker::rpc {

using Minted = domain::Result<domain::Token>;

/// Mints a token for a call that waits at most `time`. Calls `answer` in the connection's thread; it must finish the
/// call. The mint has already entered the flight by `caller`, and leaves it when done.
void mint(ServerConnection& connection, GrpcConnection::CallId call, std::chrono::milliseconds time,
          std::shared_ptr<Flight::Caller> caller,
          std::function<void(ServerConnection& connection, GrpcConnection::CallId call, const Minted& minted)>
              answer);

/// tracker.v1.Counting/Mint.
class MintCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void on_request(std::string_view request) override;
};

}  // namespace tracker::rpc
