#include "rpc/http2_connection.h"

#include <google/protobuf/message_lite.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <charconv>
#include <cstring>
#include <new>

namespace tracker::rpc {

namespace {

namespace asio = boost::asio;

constexpr std::size_t read_bytes = 64 * 1024;
/// gRPC over HTTP2, "Length-Prefixed-Message": a flag that says whether it is compressed, and its size.
constexpr std::size_t prefix_bytes = 5;
/// A batch is 1 MiB and a few columns.
constexpr std::size_t message_bytes_max = 8 * 1024 * 1024;
/// A window must hold a whole message: it is opened again when that has been worked on.
constexpr std::int32_t window_bytes = 16 * 1024 * 1024;
constexpr std::uint32_t calls_max = 1024;

nghttp2_nv header(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));  // nghttp2 only reads it
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string_view text(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

/// What a client of ours sends first: the preface and the head of a SETTINGS frame (RFC 9113, sections 3.4, 4.1
/// and 6.5), whose first setting is tracker's. The frame's length stands where the dots do.
constexpr std::string_view preface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n...\4\0\0\0\0\0\xF7\x54", 35);
constexpr std::size_t length_begin = 24;
constexpr std::size_t length_end = 27;
constexpr std::string_view no_settings("\0\0\0", length_end - length_begin);
constexpr std::int32_t tracker_setting = 0xF754;
constexpr std::uint32_t tracker_protocol = 1;

std::size_t message_size(std::string_view prefix) {
  std::size_t size = 0;
  for (std::size_t i = 1; i < prefix_bytes; ++i) size = size << 8U | static_cast<std::uint8_t>(prefix[i]);
  return size;
}

void append_prefix(std::size_t message_bytes, std::string& out) {
  out += '\0';
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(message_bytes >> shift & 0xFFU);
}

const nghttp2_nv ok_status = header(":status", "200");
const nghttp2_nv content_type = header("content-type", "application/grpc");

}  // namespace

std::optional<bool> is_from_tracker(std::string_view first_bytes) {
  if (first_bytes.substr(0, length_end).ends_with(no_settings)) return false;  // so none is tracker's
  for (std::size_t i = 0; i < preface.size(); ++i) {
    if (i == first_bytes.size()) return std::nullopt;
    if ((i < length_begin || i >= length_end) && first_bytes[i] != preface[i]) return false;
  }
  return true;
}

/// What nghttp2 calls.
struct Http2Connection::Callbacks {
  static Http2Connection& self(void* user) { return *static_cast<Http2Connection*>(user); }

  /// What a callback answers: a closed connection ends nghttp2's work.
  static int go_on(const Http2Connection& connection) {
    return connection.closed_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
  }

  static int on_begin_headers(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user) {
    Http2Connection& connection = self(user);
    if (connection.end_ == End::server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      connection.calls_.try_emplace(frame->hd.stream_id);
    }
    return 0;
  }

  static int on_header(nghttp2_session* /*session*/, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t /*flags*/, void* user) {
    Call* call = self(user).find(frame->hd.stream_id);
    if (call == nullptr) return 0;
    const auto name_text = text(name, name_size);
    const auto value_text = text(value, value_size);
    if (name_text == ":path") call->method = value_text;
    if (name_text == "grpc-timeout") call->timeout = value_text;
    if (name_text == ":status") call->http_status = value_text;
    if (name_text == "grpc-message") call->detail = value_text;
    if (name_text == "grpc-status") {
      std::from_chars(value_text.data(), value_text.data() + value_text.size(), call->status);
    }
    return 0;
  }

  static int on_frame(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user) {
    Http2Connection& connection = self(user);
    const CallId id = frame->hd.stream_id;
    const Call* call = connection.find(id);
    if (call == nullptr || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)) return 0;
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (connection.end_ == End::client) {
      if (ends) connection.end_call(id, NGHTTP2_NO_ERROR);
      return go_on(connection);
    }
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      connection.accept_call(id);
      connection.on_call(id, call->method, call->timeout);
    }
    if (ends && !connection.closed_) connection.on_half_close(id);
    return go_on(connection);
  }

  static int on_data(nghttp2_session* session, std::uint8_t /*flags*/, std::int32_t id,
                     const std::uint8_t* data, std::size_t size, void* user) {
    Http2Connection& connection = self(user);
    nghttp2_session_consume_connection(session, size);
    if (Call* call = connection.find(id)) {
      call->untaken += size;
      if (connection.end_ == End::client) connection.take_more(id);
      connection.take_data(id, *call, text(data, size));
    }
    return go_on(connection);
  }

  static int on_stream_close(nghttp2_session* /*session*/, std::int32_t id, std::uint32_t error, void* user) {
    Http2Connection& connection = self(user);
    connection.end_call(id, error);
    return go_on(connection);
  }

  static ssize_t read_outgoing(nghttp2_session* session, std::int32_t id, std::uint8_t* out, std::size_t room,
                               std::uint32_t* flags, nghttp2_data_source* /*source*/, void* user) {
    Http2Connection& connection = self(user);
    Call* call = connection.find(id);
    if (call == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const std::size_t size = std::min(room, call->outgoing.size() - call->sent);
    if (size == 0 && !call->last) return NGHTTP2_ERR_DEFERRED;
    std::memcpy(out, call->outgoing.data() + call->sent, size);
    call->sent += size;
    if (call->sent == call->outgoing.size()) {
      call->outgoing.clear();
      call->sent = 0;
      if (call->last) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (connection.end_ == End::server) {
          *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
          const std::string code = std::to_string(call->status);
          const nghttp2_nv trailers[] = {header("grpc-status", code), header("grpc-message", call->detail)};
          nghttp2_submit_trailer(session, id, trailers, std::size(trailers));
        }
      }
    }
    return static_cast<ssize_t>(size);
  }

  static nghttp2_data_provider outgoing() {
    nghttp2_data_provider provider{};
    provider.read_callback = read_outgoing;
    return provider;
  }

  static int on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Http2Connection& connection = self(user);
    const CallId id = frame->hd.stream_id;
    const bool ends = frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (connection.end_ == End::server && ends && nghttp2_session_get_stream_remote_close(session, id) == 0) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);  // nobody reads on
    }
    return 0;
  }
};

Http2Connection::Http2Connection(End end, runtime::Socket socket)
    : end_(end), resolver_(socket.get_executor()), socket_(std::move(socket)), read_buffer_(read_bytes) {}

Http2Connection::~Http2Connection() {
  nghttp2_session_del(session_);
}

Http2Connection::Call* Http2Connection::find(CallId id) {
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : &found->second;
}

void Http2Connection::connect(const runtime::Address& address) {
  resolver_.async_resolve(
      address.host, std::to_string(address.port), asio::ip::tcp::resolver::numeric_service,
      [self = shared_from_this()](boost::system::error_code resolve_error, const auto& endpoints) {
        if (self->closed_) return;
        if (resolve_error) return self->lose(resolve_error.message());
        asio::async_connect(self->socket_, endpoints,
                            [self](boost::system::error_code error, const asio::ip::tcp::endpoint&) {
                              if (self->closed_) return;
                              if (error) return self->lose(error.message());
                              self->begin();
                            });
      });
}

void Http2Connection::begin() {
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);

  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* options = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&options) != 0) {
    throw std::bad_alloc();
  }
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_stream_close);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, Callbacks::on_frame_sent);
  nghttp2_option_set_no_auto_window_update(options, 1);
  const int failed = end_ == End::client ? nghttp2_session_client_new2(&session_, callbacks, this, options)
                                         : nghttp2_session_server_new2(&session_, callbacks, this, options);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_option_del(options);
  if (failed != 0) throw std::bad_alloc();

  const nghttp2_settings_entry client_settings[] = {
      {tracker_setting, tracker_protocol},
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(window_bytes)}};
  const nghttp2_settings_entry server_settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, calls_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(window_bytes)}};
  if (end_ == End::client) {
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, client_settings, std::size(client_settings));
  } else {
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, server_settings, std::size(server_settings));
  }
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, window_bytes);
  on_connected();
  flush();
  if (!closed_) read();
}

std::optional<Http2Connection::CallId> Http2Connection::begin_call(
    const std::string& authority, std::string_view method,
    std::optional<std::chrono::milliseconds> deadline) {
  std::vector<nghttp2_nv> headers{header(":method", "POST"), header(":scheme", "http"),
                                  header(":path", method),   header(":authority", authority),
                                  header("te", "trailers"),  content_type};
  const std::string timeout = deadline ? std::to_string(deadline->count()) + "m" : "";
  if (deadline) headers.push_back(header("grpc-timeout", timeout));
  const auto outgoing = Callbacks::outgoing();
  const CallId id =
      nghttp2_submit_request(session_, nullptr, headers.data(), headers.size(), &outgoing, nullptr);
  if (id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) {
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      if (!self->closed_) self->lose("its connection has had all the calls that it can have");
    });
    return std::nullopt;
  }
  if (id < 0) throw std::bad_alloc();
  calls_.try_emplace(id);
  return id;
}

void Http2Connection::send(CallId id, const google::protobuf::MessageLite& message, bool last) {
  Call* call = find(id);
  if (call == nullptr || call->last) return;
  std::string& out = call->outgoing;
  const std::size_t size = message.ByteSizeLong();
  append_prefix(size, out);
  const std::size_t begin = out.size();
  out.resize(begin + size);
  message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(out.data() + begin));
  call->last = last;
  nghttp2_session_resume_data(session_, id);
  flush();
}

void Http2Connection::accept_call(CallId id) {
  const nghttp2_nv headers[] = {ok_status, content_type};
  const auto outgoing = Callbacks::outgoing();
  nghttp2_submit_response(session_, id, headers, std::size(headers), &outgoing);
}

void Http2Connection::finish(CallId id, StatusCode code, std::string_view detail) {
  Call* call = find(id);
  if (call == nullptr || call->last) return;
  call->last = true;
  call->status = static_cast<int>(code);
  call->detail = detail;
  nghttp2_session_resume_data(session_, id);
  flush();
}

void Http2Connection::finish_all_and_close() {
  if (closed_) return;
  finishing_ = true;
  nghttp2_submit_shutdown_notice(session_);
  flush();
}

void Http2Connection::take_more(CallId id) {
  Call* call = find(id);
  if (call == nullptr || call->untaken == 0) return;
  nghttp2_session_consume_stream(session_, id, std::exchange(call->untaken, 0));
  flush();
}

std::size_t Http2Connection::waiting_bytes(CallId id) const {
  const auto call = calls_.find(id);
  return call == calls_.end() ? 0 : call->second.outgoing.size() - call->second.sent;
}

void Http2Connection::read() {
  socket_.async_read_some(asio::buffer(read_buffer_), [self = shared_from_this()](
                                                          boost::system::error_code error, std::size_t size) {
    if (self->closed_) return;
    if (error) return self->lose(error == asio::error::eof ? "it ended the connection" : error.message());
    self->take({self->read_buffer_.data(), size});
    if (!self->closed_) self->read();
  });
}

void Http2Connection::take(std::string_view bytes) {
  in_nghttp2_ = true;
  const auto taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  in_nghttp2_ = false;
  if (closed_) return;
  if (taken < 0) return lose(nghttp2_strerror(static_cast<int>(taken)));
  flush();
}

void Http2Connection::take_data(CallId id, Call& call, std::string_view bytes) {
  if (call.last && end_ == End::server) return;  // it is finished: nobody reads it
  const bool continues = !call.incoming.empty();
  if (continues) {
    call.incoming += bytes;
    bytes = call.incoming;
  }
  while (bytes.size() >= prefix_bytes) {
    const std::size_t size = message_size(bytes);
    if (bytes.front() != '\0' || size > message_bytes_max) return refuse_message(id);
    if (bytes.size() < prefix_bytes + size) break;
    on_message(id, bytes.substr(prefix_bytes, size));
    if (closed_) return;
    bytes.remove_prefix(prefix_bytes + size);
  }
  if (continues) {
    call.incoming.erase(0, call.incoming.size() - bytes.size());
  } else {
    call.incoming = bytes;
  }
}

/// It is compressed, or too long.
void Http2Connection::refuse_message(CallId id) {
  if (end_ == End::client) return lose("it sends what was not agreed on");
  on_cancel(id);
  finish(id, StatusCode::resource_exhausted, "a message is compressed or too long");
}

void Http2Connection::end_call(CallId id, std::uint32_t error) {
  const auto found = calls_.find(id);
  if (found == calls_.end() || closed_) return;
  const Call call = std::move(found->second);
  calls_.erase(found);
  if (end_ == End::server) return on_cancel(id);
  CallStatus status{static_cast<StatusCode>(call.status), call.detail, error == NGHTTP2_REFUSED_STREAM};
  if (call.status < 0) {
    status.code = status.not_processed ? StatusCode::unavailable : StatusCode::unknown;
    status.detail = error != NGHTTP2_NO_ERROR
                        ? std::string("HTTP/2 says ") + nghttp2_http2_strerror(error)
                        : "it does not speak gRPC (HTTP status " + call.http_status + ")";
  }
  on_call_end(id, status);
}

void Http2Connection::flush() {
  if (in_nghttp2_ || writing_ || closed_) return;
  in_nghttp2_ = true;
  while (nghttp2_session_want_write(session_) != 0) {
    const std::uint8_t* bytes = nullptr;
    const auto size = nghttp2_session_mem_send(session_, &bytes);
    if (size <= 0) break;
    unsent_.append(text(bytes, static_cast<std::size_t>(size)));
  }
  in_nghttp2_ = false;
  write();
}

void Http2Connection::write() {
  boost::system::error_code error;
  if (!unsent_.empty()) unsent_.erase(0, socket_.write_some(asio::buffer(unsent_), error));
  if (error && error != asio::error::would_block) {
    socket_.shutdown(runtime::Socket::shutdown_both, error);  // so that the reader finds out, too
    return unsent_.clear();
  }
  if (unsent_.empty()) {
    close_if_finished();
    if (!closed_ && end_ == End::server) on_written();
    return;
  }
  writing_ = true;
  socket_.async_wait(runtime::Socket::wait_write,
                     [self = shared_from_this()](boost::system::error_code wait_error) {
                       self->writing_ = false;
                       if (!wait_error) self->flush();
                     });
}

void Http2Connection::close_if_finished() {
  const bool at_its_end =
      nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
  if (at_its_end || (finishing_ && calls_.empty())) lose("it ended the connection");
}

void Http2Connection::close() {
  if (std::exchange(closed_, true)) return;
  resolver_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Http2Connection::lose(const std::string& reason) {
  const auto self = shared_from_this();
  close();
  on_lost(reason);
}

}  // namespace tracker::rpc
