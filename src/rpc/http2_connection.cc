#include "rpc/http2_connection.h"

#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace tracker::rpc {

namespace {

namespace asio = boost::asio;

constexpr std::size_t read_bytes = 64 * 1024;
/// gRPC over HTTP2, "Length-Prefixed-Message": a flag that says whether it is compressed, and its size.
constexpr std::size_t prefix_bytes = 5;
/// A batch is 1 MiB and a few columns.
constexpr std::size_t message_bytes_max = 8 * 1024 * 1024;
/// A buffer that is empty keeps no more memory than this.
constexpr std::size_t buffer_bytes_kept = 256 * 1024;

const std::pair<std::string, std::string> content_type{"content-type", "application/grpc"};

}  // namespace

Http2Connection::Http2Connection(End end, runtime::Socket socket, std::uint32_t calls_max)
    : end_(end),
      calls_left_(calls_max),
      socket_(std::move(socket)),
      session_(end, *this),
      read_buffer_(read_bytes) {}

Http2Connection::~Http2Connection() = default;

Http2Connection::Call* Http2Connection::find(CallId id) {
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : &found->second;
}

void Http2Connection::begin() {
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  on_connected();
  flush();
  if (!closed_) read();
}

// Of a client.

std::optional<Http2Connection::CallId> Http2Connection::begin_call(
    const std::string& authority, std::string_view method,
    std::optional<std::chrono::milliseconds> deadline) {
  if (calls_left_ == 0) return std::nullopt;
  Http2Fields fields{{":method", "POST"},       {":scheme", "http"}, {":path", std::string(method)},
                     {":authority", authority}, {"te", "trailers"},  content_type};
  if (deadline) fields.emplace_back("grpc-timeout", std::to_string(deadline->count()) + "m");
  const auto id = session_.open(std::move(fields));
  if (id) {
    --calls_left_;
    calls_.try_emplace(*id);
  }
  return id;
}

void Http2Connection::end_call(CallId id, Http2Error error) {
  const auto found = calls_.find(id);
  if (found == calls_.end() || closed_) return;
  const Call call = std::move(found->second);
  calls_.erase(found);
  incoming_bytes_ -= call.incoming.size();
  if (end_ == End::server) return on_cancel(id);
  CallStatus status{static_cast<StatusCode>(call.status), call.detail, error == Http2Error::refused_stream};
  if (call.status < 0) {
    status.code = status.not_processed ? StatusCode::unavailable : StatusCode::unknown;
    status.detail = error != Http2Error::none
                        ? "HTTP/2 says " + name_of(error)
                        : "it does not speak gRPC (HTTP status " + call.http_status + ")";
  }
  on_call_end(id, status);
}

// Of a server.

void Http2Connection::on_begin(CallId id) {
  calls_.try_emplace(id);
}

void Http2Connection::on_request(CallId id) {
  Call* call = find(id);
  if (call == nullptr) return;
  session_.respond(id, {{":status", "200"}, content_type});
  on_call(id, call->method, call->timeout);
}

void Http2Connection::finish(CallId id, StatusCode code, std::string_view detail) {
  Call* call = find(id);
  if (call == nullptr || std::exchange(call->finished, true)) return;
  session_.end(
      id, {{"grpc-status", std::to_string(static_cast<int>(code))}, {"grpc-message", std::string(detail)}});
  flush();
}

void Http2Connection::announce_end() {
  if (closed_) return;
  session_.announce_end();
  flush();
}

void Http2Connection::finish_all_and_close() {
  finishing_ = true;
  announce_end();
}

// Of both.

std::string& Http2Connection::new_message() {
  if (message_.capacity() > buffer_bytes_kept) message_ = {};
  message_.assign(prefix_bytes, '\0');
  return message_;
}

void Http2Connection::send_message(CallId id, bool last) {
  const std::size_t size = message_.size() - prefix_bytes;
  for (std::size_t i = 1; i < prefix_bytes; ++i)
    message_[i] = static_cast<char>(size >> 8 * (prefix_bytes - 1 - i) & 0xFFU);
  session_.send(id, message_);
  if (last) session_.end(id);
  flush();
}

void Http2Connection::send(CallId id, const google::protobuf::MessageLite& message, bool last) {
  message.AppendToString(&new_message());
  send_message(id, last);
}

void Http2Connection::take_more(CallId id) {
  Call* call = find(id);
  if (call != nullptr && session_.give_back(id, std::exchange(call->taken, 0))) flush();
}

std::size_t Http2Connection::waiting_bytes(CallId id) const {
  return session_.waiting_bytes(id);
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
  heard_at_ = runtime::Clock::now();
  in_session_ = true;
  const auto error = session_.receive(bytes);
  in_session_ = false;
  if (closed_) return;
  if (end_ == End::client && peer_ends() && !std::exchange(told_end_, true)) on_peer_ends();
  flush();
  if (!closed_) on_held();
  if (error != Http2Error::none && !closed_) lose("it does not keep to HTTP/2: " + name_of(error));
}

void Http2Connection::on_field(CallId id, std::string_view name, std::string_view value) {
  Call* call = find(id);
  if (call == nullptr) return;
  if (name == ":path") call->method = value;
  if (name == "grpc-timeout") call->timeout = value;
  if (name == ":status") call->http_status = value;
  if (name == "grpc-message") call->detail = value;
  if (name == "grpc-status") std::from_chars(value.data(), value.data() + value.size(), call->status);
}

void Http2Connection::on_data(CallId id, std::string_view bytes) {
  Call* call = find(id);
  const bool read = call != nullptr && !call->finished;
  if (end_ == End::client || !read) session_.give_back(id, bytes.size());
  if (!read) return;
  const bool continues = !call->incoming.empty();
  if (continues) {
    call->incoming += bytes;
    incoming_bytes_ += bytes.size();
    bytes = call->incoming;
  }
  while (bytes.size() >= prefix_bytes) {
    const std::size_t size = read_number(bytes.substr(1, prefix_bytes - 1));
    if (bytes.front() != '\0' || size > message_bytes_max) return refuse_message(id);
    if (bytes.size() < prefix_bytes + size) break;
    call->taken += prefix_bytes + size;
    on_message(id, bytes.substr(prefix_bytes, size));
    if (closed_) return;
    bytes.remove_prefix(prefix_bytes + size);
  }
  keep_incoming(*call, bytes);
}

/// `rest` is the end of what has come of the call, and maybe of its `incoming`.
void Http2Connection::keep_incoming(Call& call, std::string_view rest) {
  if (rest.size() == call.incoming.size()) return;  // nothing, or a message that goes on
  const std::size_t before = call.incoming.size();
  if (call.incoming.capacity() > buffer_bytes_kept && rest.size() < call.incoming.capacity() / 4) {
    call.incoming = std::string(rest);
  } else if (before > 0) {
    call.incoming.erase(0, before - rest.size());
  } else {
    call.incoming = rest;
  }
  incoming_bytes_ += rest.size() - before;  // also where it becomes less
  if (!rest.empty()) call.incoming_since = runtime::Clock::now();
}

std::optional<runtime::Clock::time_point> Http2Connection::stalled_since() const {
  std::optional<runtime::Clock::time_point> since;
  if (unsent_bytes_ > 0) since = unsent_since_;
  for (const auto& [id, call] : calls_) {
    if (!call.incoming.empty()) since = std::min(since.value_or(call.incoming_since), call.incoming_since);
  }
  return since;
}

/// It is compressed, or too long.
void Http2Connection::refuse_message(CallId id) {
  if (end_ == End::client) return lose("it sends what was not agreed on");
  if (Call* call = find(id)) keep_incoming(*call, {});
  on_cancel(id);
  finish(id, StatusCode::resource_exhausted, "a message is compressed or too long");
}

void Http2Connection::on_peer_end(CallId id) {
  if (end_ == End::client) return end_call(id, Http2Error::none);
  on_half_close(id);
}

void Http2Connection::on_closed(CallId id, Http2Error error) {
  end_call(id, error);
}

/// Sends what can be sent. At its end this may be gone, unless its caller keeps it.
void Http2Connection::flush() {
  if (in_session_ || writing_ || closed_) return;
  const bool all_sent = send_all();
  if (closed_) return;
  look_at_unsent();
  on_held();
  if (all_sent) close_if_finished();
}

/// Answers false if the socket takes no more.
bool Http2Connection::send_all() {
  bool wrote = false;
  for (;;) {
    in_session_ = true;
    session_.fill();
    in_session_ = false;
    if (closed_) return false;
    if (session_.out().empty()) break;
    if (!write()) return false;
    wrote = true;
  }
  if (wrote && end_ == End::server) on_written();
  return true;
}

void Http2Connection::look_at_unsent() {
  const std::size_t before = std::exchange(unsent_bytes_, session_.waiting_bytes());
  if (unsent_bytes_ > 0 && (before == 0 || unsent_bytes_ < before)) unsent_since_ = runtime::Clock::now();
}

/// Answers false if not all of it could be sent.
bool Http2Connection::write() {
  boost::system::error_code error;
  std::string& out = session_.out();
  out.erase(0, socket_.write_some(asio::buffer(out), error));
  if (error && error != asio::error::would_block) {
    socket_.shutdown(runtime::Socket::shutdown_both, error);  // so that the reader finds out, too
    out.clear();
    return false;
  }
  if (out.empty()) return true;
  writing_ = true;
  socket_.async_wait(runtime::Socket::wait_write,
                     [self = shared_from_this()](boost::system::error_code wait_error) {
                       self->writing_ = false;
                       if (!wait_error) self->flush();
                     });
  return false;
}

void Http2Connection::close_if_finished() {
  const bool at_its_end = finishing_ || (end_ == End::client && session_.peer_ends());
  if (at_its_end && !session_.has_streams()) lose("it ended the connection");
}

void Http2Connection::close() {
  if (std::exchange(closed_, true)) return;
  session_.stop();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Http2Connection::lose(const std::string& reason) {
  const auto self = shared_from_this();
  close();
  on_lost(reason);
}

}  // namespace tracker::rpc
