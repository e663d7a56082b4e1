#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/http2_fields.h"
#include "rpc/http2_frame.h"

namespace tracker::rpc {

/// Whether a connection's first bytes are those of a client end of ours: its first setting (RFC 9113, section
/// 6.5) is one that IANA leaves to experiments, and that everybody else must ignore. Nothing: they are too few
/// to tell.
std::optional<bool> is_from_tracker(std::string_view first_bytes);

/// One end of an HTTP/2 connection in clear text (RFC 9113), as much of it as gRPC needs: bytes in, events and
/// bytes out, no I/O. It keeps the rules of frames, streams and windows; what the fields mean is its owner's
/// business (section 8 is not checked: nothing is passed on to anybody). Why not nghttp2's session, which does all
/// that there is to HTTP/2: docs/performance.md says what that costs a hit. Not synchronised. Invariants:
/// 1. Events come from within receive() and fill() only, and may call everything but these two.
/// 2. A stream is in streams_ until both ends have ended it or one has reset it; then on_closed() tells, once.
/// 3. What the peer makes wait is bounded: a frame, a field list, what the connection's window lets in, and, in
///    out(), what is to be answered. What the owner sends is its owner's to bound.
/// 4. Every byte of DATA that has come is either kept by the owner, or given back and part of the windows' next updates.
class Http2Session {
 public:
  using StreamId = std::int32_t;
  enum class End : std::uint8_t { client, server };

  class Events {
   public:
    /// Server: a request begins, and after its fields: it was told.
    virtual void on_begin(StreamId stream) = 0;
    virtual void on_request(StreamId stream) = 0;
    /// A field of the request, the response or their trailers.
    virtual void on_field(StreamId stream, std::string_view name, std::string_view value) = 0;
    /// Maybe nothing but padding.
    virtual void on_data(StreamId stream, std::string_view bytes) = 0;
    /// Nothing more comes on the stream.
    virtual void on_peer_end(StreamId stream) = 0;
    /// It is over; `error` says why, if it was reset or refused.
    virtual void on_closed(StreamId stream, Http2Error error) = 0;

   protected:
    ~Events() = default;
  };

  /// What an end says first is in out() at once.
  Http2Session(End end, Events& events);

  /// Takes bytes from the peer. An error is the connection's: out() tells the peer; then it is as after stop().
  Http2Error receive(std::string_view bytes);

  /// Client: begins a stream, as soon as the peer has room for one more. Nothing: there will be none on this
  /// connection, since the peer ends it or there were 2^30.
  std::optional<StreamId> open(Http2Fields fields);

  // To all of these: nothing happens if the stream is over, or ended by this side.
  void respond(StreamId stream, const Http2Fields& fields);  // server
  void send(StreamId stream, std::string_view bytes);
  /// Behind what was sent. `trailers`: server.
  void end(StreamId stream, Http2Fields trailers = {});

  /// Lets the peer send so many bytes more: its owner keeps them no longer. They came on this stream, and were not
  /// given back before. Answers whether the peer is to be told so already. What is kept of a stream that closes is
  /// given back by itself.
  bool give_back(StreamId stream, std::size_t bytes);
  /// Bytes that were sent, and wait for the peer's window or for room in out().
  std::size_t waiting_bytes(StreamId stream) const;
  /// The same of all streams, and those in out().
  std::size_t waiting_bytes() const noexcept { return waiting_ + out_.size(); }

  /// Tells the peer that no new streams are welcome (section 6.8).
  void announce_end();

  /// Moves what may be sent now into out(), a part at a time.
  void fill();
  /// Bytes for the peer; its owner takes them away.
  std::string& out() noexcept { return out_; }

  bool has_streams() const noexcept { return !streams_.empty(); }
  bool peer_ends() const noexcept { return peer_ends_; }

  /// No events any more, and nothing is sent.
  void stop() noexcept { stopped_ = true; }

 private:
  /// Bytes of DATA that came and are not in the peer's window again.
  struct Received {
    std::size_t kept = 0;   // by the owner
    std::size_t given = 0;  // back; the peer was not told yet
  };
  struct Stream {
    std::int64_t send_window = 0;
    std::string outgoing;
    std::size_t sent = 0;  // of outgoing
    Http2Fields fields;    // the request's until it has begun; then the trailers
    Received received;
    bool begun = false;   // the peer knows it
    bool queued = false;  // in ready_
    bool ending = false;  // nothing comes behind outgoing but its end
    bool ended = false;   // which was sent
    bool peer_ended = false;
  };

  Stream* find(StreamId id);
  bool is_idle(StreamId id) const noexcept;
  Http2Error take_frame(const FrameHead& head, std::string_view payload);
  Http2Error take_data(const FrameHead& head, std::string_view payload);
  Http2Error take_headers(const FrameHead& head, std::string_view payload);
  Http2Error take_continuation(const FrameHead& head, std::string_view payload);
  Http2Error take_fields(StreamId id, std::string_view block, bool ends);
  Http2Error take_rst_stream(const FrameHead& head, std::string_view payload);
  Http2Error take_settings(const FrameHead& head, std::string_view payload);
  Http2Error apply(Setting setting, std::uint32_t value, std::int64_t& window);
  Http2Error take_ping(const FrameHead& head, std::string_view payload);
  Http2Error take_goaway(const FrameHead& head, std::string_view payload);
  Http2Error take_window_update(const FrameHead& head, std::string_view payload);
  void take_peers_end(StreamId id);
  bool open_window(StreamId id, Received& received);
  void begin_waiting();
  void queue(StreamId id, Stream& stream);
  bool fill_from(StreamId id, Stream& stream);
  void append_fields(StreamId id, const Http2Fields& fields, bool ends);
  void reset(StreamId id, Http2Error error);
  void close(StreamId id, Http2Error error);

  const End end_;
  Events& events_;
  Http2FieldCoder coder_;
  std::map<StreamId, Stream> streams_;
  std::string out_;
  std::size_t waiting_ = 0;      // bytes in the streams' outgoing, but for what was sent
  std::vector<StreamId> ready_;  // with something to send, in turn
  StreamId last_stream_ = 0;     // the last that the client has begun
  bool stopped_ = false;

  std::string unread_;            // the beginning of a frame
  std::size_t preface_left_ = 0;  // server
  bool settled_ = false;          // the peer's first frame was its settings
  int settings_ = 0;              // frames of them
  std::string block_;             // a field list that is continued
  StreamId block_stream_ = 0;     // not 0: its next frame must be a CONTINUATION
  bool block_ends_ = false;       // its stream
  Received received_;             // of all streams
  bool peer_ends_ = false;        // it has said that it takes no new streams

  std::int64_t send_window_;   // the connection's
  std::int64_t peers_window_;  // a new stream's
  std::size_t peers_streams_max_ = std::numeric_limits<std::size_t>::max();
  std::size_t begun_ = 0;           // client: of streams_
  std::deque<StreamId> not_begun_;  // client: since the peer has no room for more
};

}  // namespace tracker::rpc
