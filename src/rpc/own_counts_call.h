#pragma once

#include <string_view>

#include "rpc/public_calls.h"

namespace tracker::rpc {

/// tracker.v1.Counting/ReadOwnCounts.
class OwnCountsCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

 private:
  void on_request(std::string_view request) override;
};

}  // namespace tracker::rpc
