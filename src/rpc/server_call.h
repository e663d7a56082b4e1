#pragma once

#include <string_view>

namespace tracker::rpc {

/// One call of a client, while it is open. Belongs to the thread of its connection. It is destroyed when the call is
/// finished, cancelled or lost; what it has handed on by then goes on without it.
class ServerCall {
 public:
  virtual ~ServerCall() = default;

  /// A whole message of the client. Valid during the call.
  virtual void on_message(std::string_view message) = 0;
  /// The client sends no more messages.
  virtual void on_half_close() = 0;

  /// More of what was sent on the call may be sent, or all of it has left.
  virtual void on_written() {}
  /// Whether hits can be counted has changed, or that the service ends.
  virtual void on_readiness() {}
  /// The service ends: no more messages are taken, and the call finishes when those taken are answered.
  virtual void on_end() {}
};

}  // namespace tracker::rpc
