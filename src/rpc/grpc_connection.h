#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "http2/session.h"
#include "link/transport.h"
#include "rpc/grpc_protocol.h"
#include "runtime/deadlines.h"

namespace tracker::rpc {

/// The first setting of a connection from tracker's own envoys. Its id is one that IANA leaves to experiments, and
/// everybody else must ignore it (RFC 9113, section 6.5.2). Its value is the version of tracker's protocol.
inline constexpr http2::Setting tracker_setting{0xF754, 1};

/// One end of an HTTP/2 connection that carries gRPC calls (gRPC's PROTOCOL-HTTP2.md). Loop thread only. Invariants:
/// 1. Bytes are written after the session has told its events, never from within an event.
/// 2. Once closed it calls nobody back.
/// 3. A call is in calls_ until both sides are done with it. Anything for another call is dropped.
class GrpcConnection : public std::enable_shared_from_this<GrpcConnection>,
                       private http2::Session::Events,
                       private link::Transport::User {
 public:
  using CallId = http2::StreamId;
  using End = http2::End;

  /// Client: the connection makes at most `calls_max` calls. HTTP/2 allows at most 2^30 (RFC 9113, section 5.1.1).
  GrpcConnection(End end, std::unique_ptr<link::Transport> transport, const http2::Limits& limits,
                 std::uint32_t calls_max = 0);
  virtual ~GrpcConnection();
  GrpcConnection(const GrpcConnection&) = delete;
  GrpcConnection& operator=(const GrpcConnection&) = delete;

  /// Starts to speak.
  void begin();

  /// Closes the connection at once, with all its calls.
  void close();

  /// Closes it and calls on_lost().
  void lose(const std::string& reason);

  /// Server: asks the client to make new calls elsewhere (GOAWAY). New calls are still served.
  void announce_end();

  /// Server: takes no more calls, and closes when all open calls have ended.
  void finish_all_and_close();

  /// Writes what was sent. Messages and statuses wait for this call, or until bytes come from the peer. The connection
  /// may be gone afterwards, unless the caller keeps it alive.
  void flush();

 protected:
  // Client.
  struct CallStatus {
    Status status;
    bool not_processed;  // the server has certainly not acted on it
  };
  /// Begins a call of a method such as "/package.Service/Method". Returns nothing if the connection has used up its
  /// calls, or its server takes no more.
  std::optional<CallId> begin_call(const std::string& authority, std::string_view method,
                                   std::optional<std::chrono::milliseconds> deadline = std::nullopt);
  virtual void on_connected() {}
  virtual void on_call_end(CallId /*call*/, const CallStatus& /*status*/) {}
  virtual void on_peer_ends() {}  // called once; calls that have begun go on

  // Server.
  /// A call begins. Returns the length of the longest message that is accepted on it. A call of an unknown method must
  /// be finished here.
  virtual std::size_t on_call(CallId /*call*/, std::string_view /*method*/,
                              std::optional<std::chrono::milliseconds> /*timeout*/) {
    return 0;
  }
  virtual void on_half_close(CallId /*call*/) {}
  virtual void on_cancel(CallId /*call*/) {}
  virtual void on_written() {}  // everything that may be sent has been sent
  virtual void on_held() {}     // held_bytes() may have changed
  /// Ends the call after what was sent. Does nothing if the call is over.
  void finish(CallId call, const Status& status);
  /// Gives the bytes of messages taken from a call back to its sender's window.
  void take_more(CallId call);
  /// Grants the client other windows.
  void set_windows(std::uint32_t stream_bytes, std::uint32_t connection_bytes);

  // Both.
  /// A whole message. It is valid during the call.
  virtual void on_message(CallId call, std::string_view message) = 0;
  /// The connection has ended, with all its calls.
  virtual void on_lost(const std::string& reason) = 0;

  /// Sending takes two steps: append the message to new_message(), then call send_message(). Client: `last` ends this
  /// side of the call. Does nothing if the call is over. The next flush() writes it.
  std::string& new_message();
  void send_message(CallId call, bool last = false);

  bool closed() const noexcept { return transport_ == nullptr; }
  std::optional<std::uint32_t> first_setting_of_peer(std::uint16_t id) const {
    return session_.first_setting_of_peer(id);
  }
  /// Returns whether the server takes no new calls.
  bool peer_ends() const noexcept { return session_.peer_ends(); }
  bool has_calls() const noexcept { return !calls_.empty(); }

  /// Returns the bytes that wait to be sent on a call because the peer has no window for them.
  std::size_t waiting_bytes(CallId call) const { return session_.waiting_bytes(call); }
  /// Returns the bytes that are kept: of incomplete messages received, and of what the peer does not take.
  std::size_t held_bytes() const noexcept { return incoming_bytes_ + session_.waiting_bytes(); }
  std::size_t unsent_bytes() const noexcept { return session_.waiting_bytes(); }
  /// Returns since when the peer has owed the rest of a message or of a call's request, or has taken nothing of what is
  /// sent to it. Nothing: neither is so.
  std::optional<runtime::Clock::time_point> stalled_since() const;
  /// Returns when something came last.
  runtime::Clock::time_point heard_at() const noexcept { return heard_at_; }

 private:
  struct Call {
    std::string incoming;  // the incomplete message at the end of what came
    runtime::Clock::time_point incoming_since;
    std::size_t taken = 0;  // bytes of messages that were handed on and not given back
    std::size_t message_bytes_max = 0;
    Encoding encoding = Encoding::identity;
    bool owes_request = false;         // server: only its fields have come
    bool responded = false;            // server: has sent its fields
    bool finished = false;             // server: has sent its status
    std::optional<StatusCode> status;  // client: grpc-status
    std::string message;               // client: grpc-message
    std::string http_status;           // client
  };

  void on_greeted() override {}
  void on_fields(CallId id, http2::Fields fields) override;
  void on_fields_too_long(CallId id) override;
  void on_data(CallId id, std::string_view bytes) override;
  void on_peer_end(CallId id) override;
  void on_closed(CallId id, http2::ErrorCode error) override;

  Call* find(CallId id);
  void take_request(CallId id, http2::Fields fields);
  void take_response(Call& call, http2::Fields fields);
  void refuse_request(CallId id, std::string_view http_status, const Status& status);
  bool take_message(CallId id, Call& call, bool compressed, std::string_view message);
  void refuse_message(CallId id, const Status& status);
  void end_call(CallId id, http2::ErrorCode error);
  void keep_incoming(Call& call, std::string_view rest);
  void on_bytes(std::string_view bytes) override;
  void on_writable() override;
  void on_end(const std::string& how) override { lose(how); }
  bool send_all();
  void look_at_unsent();
  void close_if_over();

  const End end_;
  std::uint32_t calls_left_;
  std::unique_ptr<link::Transport> transport_;  // null once closed
  http2::Session session_;
  std::unordered_map<CallId, Call> calls_;
  std::string message_;             // is about to be sent
  std::size_t incoming_bytes_ = 0;  // of all calls
  std::size_t unsent_bytes_ = 0;    // at the last look
  runtime::Clock::time_point unsent_since_;
  runtime::Clock::time_point heard_at_ = runtime::Clock::now();
  bool receiving_ = false;  // the session is telling its events
  bool held_ = false;       // the transport takes no more bytes for now
  bool told_end_ = false;   // on_peer_ends() was called
};

}  // namespace tracker::rpc
