#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/listener.h"

struct nghttp2_session;

namespace google::protobuf {
class MessageLite;
}

namespace tracker::rpc {

/// gRPC's status codes, as far as they are said here.
enum class StatusCode : int {
  ok = 0,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  resource_exhausted = 8,
  unimplemented = 12,
  unavailable = 14,
};

/// Whether a connection's first bytes are those of a client end of ours: its first setting (RFC 9113, section
/// 6.5) is one that IANA leaves to experiments, and that everybody else must ignore. Nothing: they are too few
/// to tell.
std::optional<bool> is_from_tracker(std::string_view first_bytes);

/// One end of an HTTP/2 connection in clear text (RFC 9113, framed by nghttp2) that carries gRPC calls ("gRPC
/// over HTTP2", PROTOCOL-HTTP2.md). Unlike gRPC's own library it lives on its owner's event loop, so that a
/// message costs no thread switch. Belongs to that loop's thread. Invariants:
/// 1. nghttp2 is not entered again from within its callbacks: what they cause is sent when they are done.
/// 2. Once closed it calls back no more; what is still on the event loop keeps it alive.
/// 3. A call is in calls_ until both sides are done with it; what comes for one that is not is dropped.
class Http2Connection : public std::enable_shared_from_this<Http2Connection> {
 public:
  using CallId = std::int32_t;
  enum class End : std::uint8_t { client, server };

  Http2Connection(End end, runtime::Socket socket);
  virtual ~Http2Connection();
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  /// Client: resolves the name, connects and begins; on_connected() or on_lost() tells.
  void connect(const runtime::Address& address);

  /// Begins on a socket that is connected.
  void begin();

  /// Ends it at once, with all its calls.
  void close();

 protected:
  /// Client: begins a call of a method (such as "/package.Service/Method"). Nothing: the connection has had all
  /// the 2^30 that it can have, and ends soon, so that another one takes its place.
  std::optional<CallId> begin_call(const std::string& authority, std::string_view method,
                                   std::optional<std::chrono::milliseconds> deadline = std::nullopt);

  /// Sends a message; client: `last` ends this side of the call. Nothing happens if the call is over.
  void send(CallId call, const google::protobuf::MessageLite& message, bool last = false);

  /// Server: ends the call, behind what was sent. Nothing happens if it is over.
  void finish(CallId call, StatusCode code, std::string_view detail = {});

  /// Server: says that no new calls are welcome, and closes when those there are have ended.
  void finish_all_and_close();

  /// Server: what came of a call is kept from its sender's window until take_more(); without that, a window
  /// is all that it can send.
  void take_more(CallId call);
  /// Bytes that wait to be sent because the other side has no window for them.
  std::size_t waiting_bytes(CallId call) const;

  bool closed() const noexcept { return closed_; }

  /// A whole message; valid during the call.
  virtual void on_message(CallId call, std::string_view message) = 0;
  /// The connection could not be made, or is at its end; with all its calls.
  virtual void on_lost(const std::string& reason) = 0;

  // Client.
  struct CallStatus {
    StatusCode code;
    std::string detail;
    bool not_processed;  // the server has certainly done nothing about it
  };
  virtual void on_connected() {}
  virtual void on_call_end(CallId /*call*/, const CallStatus& /*status*/) {}

  // Server.
  virtual void on_call(CallId /*call*/, std::string_view /*method*/, std::string_view /*timeout*/) {}
  virtual void on_half_close(CallId /*call*/) {}
  virtual void on_written() {}  // what could be sent has left
  virtual void on_cancel(CallId /*call*/) {}

 private:
  struct Call {
    std::string outgoing;     // messages, framed
    std::size_t sent = 0;     // of outgoing
    bool last = false;        // nothing comes behind outgoing
    std::string incoming;     // the beginning of a message
    std::size_t untaken = 0;  // server: bytes that came and are not in the sender's window again
    int status = -1;          // grpc-status, said or heard
    std::string detail;       // grpc-message
    std::string http_status;  // client
    std::string method;       // server
    std::string timeout;      // server: grpc-timeout
  };
  struct Callbacks;

  Call* find(CallId id);
  void accept_call(CallId id);
  void read();
  void take(std::string_view bytes);
  void take_data(CallId id, Call& call, std::string_view bytes);
  void refuse_message(CallId id);
  void end_call(CallId id, std::uint32_t error);
  void flush();
  void write();
  void close_if_finished();
  void lose(const std::string& reason);

  const End end_;
  runtime::Resolver resolver_;
  runtime::Socket socket_;
  nghttp2_session* session_ = nullptr;
  std::map<CallId, Call> calls_;
  std::vector<char> read_buffer_;
  std::string unsent_;
  bool in_nghttp2_ = false;
  bool writing_ = false;    // waits until the socket takes more
  bool finishing_ = false;  // ends with its last call
  bool closed_ = false;
};

}  // namespace tracker::rpc
