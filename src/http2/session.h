#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http2/idle_reset_filter.h"

struct nghttp2_session;

namespace tracker::http2 {

using StreamId = std::int32_t;

enum class End : std::uint8_t { client, server };

/// Error codes (RFC 9113, section 7) that tracker distinguishes. There are others.
enum class ErrorCode : std::uint32_t {
  none = 0x0,
  internal_error = 0x2,
  refused_stream = 0x7,
  cancel = 0x8,
  enhance_your_calm = 0xb,
};
/// As the RFC writes it, such as "REFUSED_STREAM".
std::string_view name_of(ErrorCode error) noexcept;

struct Field {
  std::string_view name;
  std::string_view value;
};
using Fields = std::span<const Field>;

struct Setting {
  std::uint16_t id;
  std::uint32_t value;
};

/// What a session grants its peer.
struct Limits {
  std::uint32_t streams_max = 100;                    // server: streams open at the same time
  std::uint32_t stream_window_bytes = 64 * 1024;      // received on one stream and not given back
  std::uint32_t connection_window_bytes = 64 * 1024;  // the same for all streams together
  std::size_t field_bytes_max = 16 * 1024;  // of one field list: names, values, and 32 bytes a field
};

/// One end of an HTTP/2 connection (RFC 9113), by nghttp2. Pure: bytes in; events and bytes out. Belongs to one thread.
/// Invariants:
/// 1. nghttp2's callbacks only record. Events are told after nghttp2 has taken all the bytes of one receive(), so an
///    event may call every function but receive().
/// 2. A stream whose request arrived and was reset within the same receive() is never told.
/// 3. A stream that was told, or opened here, is told to be closed exactly once. Nothing is told of it after that.
/// 4. The bytes of a stream that its owner keeps stay out of the peer's windows. They are given back when the stream
///    closes.
/// 5. What the peer makes wait here is bounded: field lists by `field_bytes_max`, received bytes by the windows,
///    acknowledgements and bytes in out() by constants. The owner bounds what it sends.
class Session {
 public:
  class Events {
   public:
    /// The peer's first SETTINGS frame has come. Nothing is told before this.
    virtual void on_greeted() = 0;
    /// The fields of a request, a response or trailers. Valid during the call.
    virtual void on_fields(StreamId stream, Fields fields) = 0;
    /// A field list exceeded `field_bytes_max`. Its fields are not told.
    virtual void on_fields_too_long(StreamId stream) = 0;
    /// Bytes of the body. Valid during the call. The owner must give each byte back once.
    virtual void on_data(StreamId stream, std::string_view bytes) = 0;
    /// The peer has ended its side of the stream.
    virtual void on_peer_end(StreamId stream) = 0;
    /// The stream is over. An error says that it was reset or refused.
    virtual void on_closed(StreamId stream, ErrorCode error) = 0;

   protected:
    ~Events() = default;
  };

  /// `first_setting` is sent ahead of all other settings. The first bytes to receive are the peer's greeting. Our
  /// greeting is in out() after fill().
  Session(End end, Events& events, const Limits& limits, std::optional<Setting> first_setting = std::nullopt);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Takes bytes from the peer and tells events. Returns false if the peer broke the protocol. Then why() says how,
  /// out() tells the peer after fill(), and nothing more may be received.
  bool receive(std::string_view bytes);
  const std::string& why() const noexcept { return why_; }

  /// Returns the value of a setting in the peer's first SETTINGS frame.
  std::optional<std::uint32_t> first_setting_of_peer(std::uint16_t id) const noexcept;

  /// Grants the peer other windows from now on.
  void set_windows(std::uint32_t stream_bytes, std::uint32_t connection_bytes);

  /// Client: begins a stream with a request. Returns nothing if no more streams can begin on this connection, because
  /// the peer has sent GOAWAY or the stream ids are used up.
  std::optional<StreamId> open(Fields request);

  // The functions below do nothing if the stream is over.
  /// Server: answers with these fields. A body and trailers follow.
  void respond(StreamId stream, Fields fields);
  /// Server: answers with these fields alone, and ends the stream.
  void respond_and_end(StreamId stream, Fields fields);
  void send(StreamId stream, std::string_view bytes);
  /// Ends this side of the stream after what was sent. Server: sends these trailers, if any. If the peer has not ended
  /// its side, tells it that the rest is not needed (RFC 9113, section 8.1).
  void end(StreamId stream, Fields trailers = {});
  void reset(StreamId stream, ErrorCode error);

  /// The owner no longer keeps this many bytes of the stream, so the peer may send as many more.
  void give_back(StreamId stream, std::size_t bytes);

  /// Returns the bytes of one stream that were given to send() and have not moved to out().
  std::size_t waiting_bytes(StreamId stream) const;
  /// Returns the same for all streams together, plus the bytes in out().
  std::size_t waiting_bytes() const noexcept { return waiting_ + out_.size(); }

  /// Server: asks the peer to begin no more streams (GOAWAY, RFC 9113, section 6.8, first step). Streams that it begins
  /// nevertheless are served.
  void announce_end();
  /// Server: takes no new streams from now on (second step). The session is over when the open streams have ended.
  void finish();
  /// Returns true if nothing more is to be said and either the peer asked for no more streams, this end takes no more,
  /// or the protocol was broken.
  bool is_over() const noexcept;
  bool peer_ends() const noexcept { return peer_ends_; }
  std::size_t streams() const noexcept { return streams_.size(); }

  /// Moves bytes to out(), up to a bound. Call it again after writing out().
  void fill();
  /// Bytes for the peer. The owner removes what it has written.
  std::string& out() noexcept { return out_; }

 private:
  struct Callbacks;
  struct Free {
    void operator()(nghttp2_session* session) const noexcept;
  };
  struct Stream {
    std::string outgoing;
    std::size_t sent = 0;  // bytes of outgoing
    std::size_t kept = 0;  // received bytes that the owner has not given back
    std::vector<std::pair<std::string, std::string>> trailers;
    bool told = false;          // client: always
    bool over = false;          // its on_closed() is due
    bool request_sent = false;  // client
    bool deferred = false;      // nghttp2 asks for bytes again after resume()
    bool ending = false;        // after `outgoing` comes only the end

    void clear();
  };
  struct Event {
    enum class Kind : std::uint8_t { greeted, fields, fields_too_long, data, peer_end, closed };
    Kind kind;
    StreamId stream;
    ErrorCode error = ErrorCode::none;  // of closed
    std::string_view data;              // of data: points into the bytes of receive()
    std::size_t first_field = 0;        // of fields: index in fields_
    std::size_t field_count = 0;
  };
  /// The ends of a field's name and value in field_text_. The name begins where the value before it ends.
  struct FieldEnds {
    std::size_t name;
    std::size_t value;
  };

  Stream* find(StreamId id);
  std::unique_ptr<Stream> new_stream();
  void receive_part(std::string_view bytes);
  bool tell();
  void tell(Event event);
  void tell_fields(const Event& event);
  void tell_closed(const Event& event);
  void resume(StreamId id, Stream& stream);
  void on_peer_ends();
  void break_off(std::string why);
  void check(int result) const;

  const End end_;
  Events& events_;
  const std::size_t field_bytes_max_;
  std::unique_ptr<nghttp2_session, Free> session_;
  boost::unordered_flat_map<StreamId, std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Stream>> free_streams_;
  std::string out_;
  std::size_t waiting_ = 0;  // bytes of all streams' outgoing that were not sent
  std::string why_;          // empty: the protocol was not broken
  bool greeted_ = false;
  bool peer_ends_ = false;
  std::vector<Setting> peers_first_settings_;
  IdleResetFilter filter_;  // server

  // Recorded by the callbacks, told by tell().
  bool telling_ = false;
  std::vector<Event> recorded_;
  std::string field_text_;
  std::vector<FieldEnds> fields_;
  std::size_t block_begin_ = 0;  // index in fields_ of the field list that is being received
  std::size_t block_bytes_ = 0;
  std::vector<Field> told_fields_;
};

}  // namespace tracker::http2
