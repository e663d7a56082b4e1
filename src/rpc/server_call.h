#pragma once

#include <string_view>

namespace tracker::rpc {

/// One open call of a client. Belongs to the thread of its connection. It is destroyed when the call is finished,
/// cancelled or lost. Work that it has handed on by then goes on without it.
class ServerCall {
 public:
  virtual ~ServerCall() = default;

  /// A whole message of the client. It is valid during the call.
  virtual void on_message(std::string_view message) = 0;
  /// The client sends no more messages.
  virtual void on_half_close() = 0;

  /// More of what was sent on the call may be sent, or everything has been sent.
  virtual void on_written() {}
  /// The readiness to count hits has changed, or the service is ending.
  virtual void on_readiness() {}
  /// The service ends. The call takes no more messages, and finishes when those that it has taken are answered.
  virtual void on_end() {}
};

}  // namespace tracker::rpc
