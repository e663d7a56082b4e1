#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/http2_session.h"
#include "runtime/deadlines.h"
#include "runtime/listener.h"

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

/// One end of an HTTP/2 connection in clear text that carries gRPC calls ("gRPC over HTTP2", PROTOCOL-HTTP2.md).
/// Unlike gRPC's own library it lives on its owner's event loop, so that a message costs no thread switch. Belongs
/// to that loop's thread. Invariants:
/// 1. The session is not entered again from within its events: what they cause is sent when they are done.
/// 2. Once closed it calls back no more; what is still on the event loop keeps it alive.
/// 3. A call is in calls_ until both sides are done with it; what comes for one that is not is dropped.
class Http2Connection : public std::enable_shared_from_this<Http2Connection>, private Http2Session::Events {
 public:
  using CallId = Http2Session::StreamId;
  using End = Http2Session::End;

  /// Client: of `calls_max` calls, of which there are 2^30 at most (RFC 9113, section 5.1.1).
  Http2Connection(End end, runtime::Socket socket, std::uint32_t calls_max = 0);
  virtual ~Http2Connection();
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  /// Begins on a socket that is connected.
  void begin();

  /// Ends it at once, with all its calls.
  void close();

  /// Server: says that no new calls are welcome (GOAWAY); those that come all the same are served.
  void announce_end();

 protected:
  /// Client: begins a call of a method (such as "/package.Service/Method"). Nothing: the connection has had all
  /// that it can have, or its server lets none begin any more.
  std::optional<CallId> begin_call(const std::string& authority, std::string_view method,
                                   std::optional<std::chrono::milliseconds> deadline = std::nullopt);

  /// Sends a message; client: `last` ends this side of the call. Nothing happens if the call is over.
  void send(CallId call, const google::protobuf::MessageLite& message, bool last = false);
  /// The same in two steps: the message is appended to new_message(), then sent.
  std::string& new_message();
  void send_message(CallId call, bool last = false);

  /// Server: ends the call, behind what was sent. Nothing happens if it is over.
  void finish(CallId call, StatusCode code, std::string_view detail = {});

  /// Server: says that no new calls are welcome, and closes when those there are have ended.
  void finish_all_and_close();

  /// Server: what came of a call is kept from its sender's window until take_more(), which gives back what was handed
  /// on as messages; without that, a window is all that it can send.
  void take_more(CallId call);
  /// Bytes that wait to be sent because the other side has no window for them.
  std::size_t waiting_bytes(CallId call) const;

  bool closed() const noexcept { return closed_; }
  /// The other side has said that it takes no new calls.
  bool peer_ends() const noexcept { return session_.peer_ends(); }

  /// Bytes that are kept: of messages that have not come whole, and of what the other side does not take.
  std::size_t held_bytes() const noexcept { return incoming_bytes_ + session_.waiting_bytes(); }
  std::size_t unsent_bytes() const noexcept { return session_.waiting_bytes(); }
  /// Since when the other side owes the rest of a message, or takes nothing of what it is sent. Nothing: it does not.
  std::optional<runtime::Clock::time_point> stalled_since() const;
  /// When anything came last.
  runtime::Clock::time_point heard_at() const noexcept { return heard_at_; }

  /// Ends it and tells on_lost().
  void lose(const std::string& reason);

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
  virtual void on_peer_ends() {}  // told once; calls that were begun go on

  // Server.
  virtual void on_call(CallId /*call*/, std::string_view /*method*/, std::string_view /*timeout*/) {}
  virtual void on_half_close(CallId /*call*/) {}
  virtual void on_written() {}  // what could be sent has left
  virtual void on_cancel(CallId /*call*/) {}
  virtual void on_held() {}  // held_bytes() may have changed

 private:
  struct Call {
    std::string incoming;  // the beginning of a message
    runtime::Clock::time_point incoming_since;
    std::size_t taken = 0;    // server: bytes of messages that were handed on, and are not given back yet
    bool finished = false;    // server: has its status
    int status = -1;          // client: grpc-status, once it was heard
    std::string detail;       // client: grpc-message
    std::string http_status;  // client
    std::string method;       // server
    std::string timeout;      // server: grpc-timeout
  };

  void on_begin(CallId id) override;
  void on_request(CallId id) override;
  void on_field(CallId id, std::string_view name, std::string_view value) override;
  void on_data(CallId id, std::string_view bytes) override;
  void on_peer_end(CallId id) override;
  void on_closed(CallId id, Http2Error error) override;

  Call* find(CallId id);
  void read();
  void take(std::string_view bytes);
  void refuse_message(CallId id);
  void end_call(CallId id, Http2Error error);
  void keep_incoming(Call& call, std::string_view rest);
  void flush();
  bool send_all();
  bool write();
  void look_at_unsent();
  void close_if_finished();

  const End end_;
  std::uint32_t calls_left_;
  runtime::Socket socket_;
  Http2Session session_;
  std::map<CallId, Call> calls_;
  std::vector<char> read_buffer_;
  std::string message_;             // on its way into the session
  std::size_t incoming_bytes_ = 0;  // of all calls
  std::size_t unsent_bytes_ = 0;    // when it was looked at last
  runtime::Clock::time_point unsent_since_;
  runtime::Clock::time_point heard_at_ = runtime::Clock::now();
  bool in_session_ = false;
  bool writing_ = false;    // waits until the socket takes more
  bool finishing_ = false;  // ends with its last call
  bool told_end_ = false;   // on_peer_ends() was called
  bool closed_ = false;
};

}  // namespace tracker::rpc
