#include "rpc/grpc_connection.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

namespace tracker::rpc {

namespace {

/// A client accepts no longer message than this. The longest has the verdicts on a batch of 1 MiB.
constexpr std::size_t response_bytes_max = 8 * 1024 * 1024;
/// An empty buffer keeps no more memory than this.
constexpr std::size_t buffer_bytes_kept = 256 * 1024;

constexpr http2::Field content_type{"content-type", "application/grpc"};

/// Reads the big-endian length after the flag of a Length-Prefixed-Message.
std::size_t message_length(std::string_view prefix) {
  std::size_t length = 0;
  for (const char byte : prefix.substr(1, prefix_bytes - 1))
    length = length << 8U | static_cast<unsigned char>(byte);
  return length;
}

void fill_prefix(std::string& message) {
  const std::size_t length = message.size() - prefix_bytes;
  for (std::size_t i = 1; i < prefix_bytes; ++i)
    message[i] = static_cast<char>(length >> 8 * (prefix_bytes - 1 - i) & 0xFFU);
}

}  // namespace

GrpcConnection::GrpcConnection(End end, std::unique_ptr<link::Transport> transport,
                               const http2::Limits& limits, std::uint32_t calls_max)
    : end_(end),
      calls_left_(calls_max),
      transport_(std::move(transport)),
      // Counters of earlier versions distinguish envoys from other clients by the first setting.
      session_(end, *this, limits, end == End::client ? std::optional(tracker_setting) : std::nullopt) {}

GrpcConnection::~GrpcConnection() = default;

GrpcConnection::Call* GrpcConnection::find(CallId id) {
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : &found->second;
}

void GrpcConnection::begin() {
  transport_->start(*this);
  if (end_ == End::server) return;
  on_connected();
  flush();
}

void GrpcConnection::close() {
  transport_.reset();
}

void GrpcConnection::lose(const std::string& reason) {
  if (closed()) return;
  const auto self = shared_from_this();
  close();
  on_lost(reason);
}

// Calls of a client.

std::optional<GrpcConnection::CallId> GrpcConnection::begin_call(
    const std::string& authority, std::string_view method,
    std::optional<std::chrono::milliseconds> deadline) {
  if (calls_left_ == 0) return std::nullopt;
  std::vector<http2::Field> fields{{":method", "POST"},       {":scheme", "http"}, {":path", method},
                                   {":authority", authority}, {"te", "trailers"},  content_type};
  std::string timeout;
  if (deadline) {
    timeout = std::to_string(deadline->count()) + "m";
    fields.push_back({"grpc-timeout", timeout});
  }
  const auto id = session_.open(fields);
  if (!id) return std::nullopt;
  --calls_left_;
  calls_[*id].message_bytes_max = response_bytes_max;
  return id;
}

void GrpcConnection::take_response(Call& call, http2::Fields fields) {
  for (const auto& [name, value] : fields) {
    if (name == ":status") call.http_status = value;
    if (name == "grpc-message") call.message = percent_decode(value);
    if (name == "grpc-status") {
      int code = static_cast<int>(StatusCode::unknown);
      std::from_chars(value.data(), value.data() + value.size(), code);
      call.status = static_cast<StatusCode>(code);
    }
  }
}

void GrpcConnection::end_call(CallId id, http2::ErrorCode error) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  Call call = std::move(found->second);
  calls_.erase(found);
  incoming_bytes_ -= call.incoming.size();
  if (end_ == End::server) return on_cancel(id);
  CallStatus status{{call.status.value_or(StatusCode::unknown), std::move(call.message)},
                    error == http2::ErrorCode::refused_stream};
  if (!call.status) {
    if (status.not_processed) status.status.code = StatusCode::unavailable;
    status.status.message = error != http2::ErrorCode::none
                                ? "HTTP/2 says " + std::string(http2::name_of(error))
                                : "it does not speak gRPC (HTTP status " + call.http_status + ")";
  }
  on_call_end(id, status);
}

// Calls of a server.

void GrpcConnection::take_request(CallId id, http2::Fields fields) {
  Call& call = calls_[id];
  call.incoming_since = runtime::Clock::now();
  call.owes_request = true;
  std::string_view http_method;
  std::string_view method;
  std::string_view type;
  std::string_view encoding = "identity";
  std::string_view timeout;
  for (const auto& [name, value] : fields) {
    if (name == ":method") http_method = value;
    if (name == ":path") method = value;
    if (name == "content-type") type = value;
    if (name == "grpc-encoding") encoding = value;
    if (name == "grpc-timeout") timeout = value;
  }
  if (http_method != "POST")
    return refuse_request(id, "405",
                          {StatusCode::internal, "gRPC's requests are POST (RFC 9110, section 9.3.3)"});
  if (!is_grpc_content_type(type))
    return refuse_request(id, "415", {StatusCode::internal, "the content-type is not application/grpc"});
  const auto known_encoding = parse_encoding(encoding);
  if (!known_encoding) {
    return refuse_request(
        id, "200",
        {StatusCode::unimplemented, "grpc-encoding is none of " + std::string(accepted_encodings)});
  }
  call.encoding = *known_encoding;
  const auto time_left = timeout.empty() ? std::nullopt : parse_timeout(timeout);
  if (!timeout.empty() && !time_left)
    return refuse_request(id, "200", {StatusCode::internal, "grpc-timeout is malformed"});
  const std::size_t bytes_max = on_call(id, method, time_left);
  if (Call* begun = find(id)) begun->message_bytes_max = bytes_max;
}

void GrpcConnection::on_fields_too_long(CallId id) {
  if (closed()) return;
  if (end_ == End::client) return lose("it sends longer fields than were agreed on");
  calls_.try_emplace(id);
  refuse_request(id, "200", {StatusCode::resource_exhausted, "the call's metadata is too long"});
}

/// Refuses a call before its owner hears of it. The owner is told nothing about it.
void GrpcConnection::refuse_request(CallId id, std::string_view http_status, const Status& status) {
  Call* call = find(id);
  call->finished = call->responded = true;
  const std::string code = std::to_string(static_cast<int>(status.code));
  const std::string message = percent_encode(status.message);
  const std::array<http2::Field, 5> fields{{{":status", http_status},
                                            content_type,
                                            {"grpc-status", code},
                                            {"grpc-message", message},
                                            {"grpc-accept-encoding", accepted_encodings}}};
  session_.respond_and_end(id, fields);
}

void GrpcConnection::finish(CallId id, const Status& status) {
  Call* call = find(id);
  if (call == nullptr || call->finished) return;
  if (!call->responded) return refuse_request(id, "200", status);
  call->finished = true;
  const std::string code = std::to_string(static_cast<int>(status.code));
  const std::string message = percent_encode(status.message);
  const std::array<http2::Field, 2> trailers{{{"grpc-status", code}, {"grpc-message", message}}};
  session_.end(id, http2::Fields(trailers).first(message.empty() ? 1 : 2));
}

void GrpcConnection::announce_end() {
  if (closed()) return;
  session_.announce_end();
  flush();
}

void GrpcConnection::finish_all_and_close() {
  if (closed()) return;
  session_.finish();
  flush();
}

void GrpcConnection::take_more(CallId id) {
  if (Call* call = find(id)) session_.give_back(id, std::exchange(call->taken, 0));
}

void GrpcConnection::set_windows(std::uint32_t stream_bytes, std::uint32_t connection_bytes) {
  session_.set_windows(stream_bytes, connection_bytes);
}

// Messages.

std::string& GrpcConnection::new_message() {
  if (message_.capacity() > buffer_bytes_kept) message_ = {};
  message_.assign(prefix_bytes, '\0');
  return message_;
}

void GrpcConnection::send_message(CallId id, bool last) {
  Call* call = find(id);
  if (call == nullptr || call->finished) return;
  if (end_ == End::server && !std::exchange(call->responded, true)) {
    const std::array<http2::Field, 2> fields{{{":status", "200"}, content_type}};
    session_.respond(id, fields);
  }
  fill_prefix(message_);
  session_.send(id, message_);
  if (last) session_.end(id);
}

void GrpcConnection::on_fields(CallId id, http2::Fields fields) {
  if (closed()) return;
  Call* call = find(id);
  if (end_ == End::client) {
    if (call != nullptr) take_response(*call, fields);
  } else if (call == nullptr) {  // otherwise they are trailers, which gRPC's clients do not send
    take_request(id, fields);
  }
}

void GrpcConnection::on_data(CallId id, std::string_view bytes) {
  Call* call = find(id);
  if (closed() || call == nullptr || call->finished) return session_.give_back(id, bytes.size());
  if (end_ == End::client) session_.give_back(id, bytes.size());
  if (!call->incoming.empty()) {
    call->incoming += bytes;
    incoming_bytes_ += bytes.size();
    bytes = call->incoming;
  }
  while (bytes.size() >= prefix_bytes) {
    const std::size_t size = message_length(bytes);
    if (bytes.front() > 1) return refuse_message(id, {StatusCode::internal, "a message has an unknown flag"});
    if (size > call->message_bytes_max)
      return refuse_message(
          id, {StatusCode::resource_exhausted,
               "a message is longer than " + std::to_string(call->message_bytes_max) + " bytes"});
    if (bytes.size() < prefix_bytes + size) break;
    if (end_ == End::server) call->taken += prefix_bytes + size;
    if (!take_message(id, *call, bytes.front() != 0, bytes.substr(prefix_bytes, size))) return;
    call = find(id);
    if (call == nullptr) return;
    bytes.remove_prefix(prefix_bytes + size);
  }
  keep_incoming(*call, bytes);
}

/// Returns whether more may be taken from the call.
bool GrpcConnection::take_message(CallId id, Call& call, bool compressed, std::string_view message) {
  call.owes_request = false;
  if (!compressed) {
    on_message(id, message);
    return !closed();
  }
  if (end_ == End::client || call.encoding == Encoding::identity) {
    refuse_message(id, {StatusCode::internal, "a message is compressed without a grpc-encoding"});
    return false;
  }
  const auto bytes = decompress(message, call.message_bytes_max);
  if (!bytes) {
    const bool too_long = bytes.error() == StatusCode::resource_exhausted;
    refuse_message(id, {bytes.error(), too_long ? "a message is too long once it is decompressed"
                                                : "a message cannot be decompressed"});
    return false;
  }
  on_message(id, *bytes);
  return !closed();
}

/// `rest` is the unused end of the bytes received. It may be part of `call.incoming`.
void GrpcConnection::keep_incoming(Call& call, std::string_view rest) {
  if (rest.size() == call.incoming.size()) return;  // nothing is left, or the message is still incomplete
  const std::size_t before = call.incoming.size();
  if (call.incoming.capacity() > buffer_bytes_kept && rest.size() < call.incoming.capacity() / 4) {
    call.incoming = std::string(rest);
  } else if (before > 0) {
    call.incoming.erase(0, before - rest.size());
  } else {
    call.incoming = rest;
  }
  incoming_bytes_ += rest.size() - before;  // correct also for a decrease
  if (!rest.empty()) call.incoming_since = runtime::Clock::now();
}

void GrpcConnection::refuse_message(CallId id, const Status& status) {
  if (end_ == End::client) return lose("it sends what was not agreed on: " + status.message);
  Call& call = *find(id);
  incoming_bytes_ -= call.incoming.size();
  call.incoming = {};
  take_more(id);
  finish(id, status);
  on_cancel(id);
}

void GrpcConnection::on_peer_end(CallId id) {
  Call* call = find(id);
  if (closed() || call == nullptr) return;
  if (end_ == End::client) return end_call(id, http2::ErrorCode::none);
  call->owes_request = false;
  if (call->finished) return;
  if (!call->incoming.empty())
    return refuse_message(id, {StatusCode::internal, "the call ends within a message"});
  on_half_close(id);
}

void GrpcConnection::on_closed(CallId id, http2::ErrorCode error) {
  if (!closed()) end_call(id, error);
}

std::optional<runtime::Clock::time_point> GrpcConnection::stalled_since() const {
  std::optional<runtime::Clock::time_point> since;
  if (unsent_bytes_ > 0) since = unsent_since_;
  for (const auto& [id, call] : calls_) {
    if (!call.incoming.empty() || call.owes_request)
      since = std::min(since.value_or(call.incoming_since), call.incoming_since);
  }
  return since;
}

// Bytes.

void GrpcConnection::on_bytes(std::string_view bytes) {
  const auto self = shared_from_this();
  heard_at_ = runtime::Clock::now();
  receiving_ = true;
  const bool goes_on = session_.receive(bytes);
  receiving_ = false;
  if (closed()) return;
  if (end_ == End::client && peer_ends() && !std::exchange(told_end_, true)) on_peer_ends();
  flush();
  if (closed()) return;
  on_held();
  if (!goes_on && !closed()) lose("it does not keep to HTTP/2: " + session_.why());
}

void GrpcConnection::on_writable() {
  const auto self = shared_from_this();
  held_ = false;
  flush();
}

void GrpcConnection::flush() {
  if (receiving_ || held_ || closed()) return;
  const bool all_sent = send_all();
  if (closed()) return;
  look_at_unsent();
  on_held();
  if (!all_sent || closed()) return;
  on_written();
  if (closed()) return;
  const bool still_all_sent = send_all();  // on_written() may have given back windows
  if (closed()) return;
  look_at_unsent();
  on_held();
  if (still_all_sent) close_if_over();
}

/// Returns whether everything that may be sent has been sent.
bool GrpcConnection::send_all() {
  const auto self = shared_from_this();
  for (;;) {
    receiving_ = true;  // the end of a stream is an event, too
    session_.fill();
    receiving_ = false;
    if (closed()) return false;
    if (session_.out().empty()) return true;
    held_ = !transport_->write(session_.out());
    if (held_) return false;
  }
}

/// Notes since when bytes have been waiting without any being sent.
void GrpcConnection::look_at_unsent() {
  const std::size_t unsent = session_.waiting_bytes();
  if (unsent < unsent_bytes_ || unsent_bytes_ == 0) unsent_since_ = runtime::Clock::now();
  unsent_bytes_ = unsent;
}

void GrpcConnection::close_if_over() {
  if (session_.is_over()) lose("it ended the connection");
}

}  // namespace tracker::rpc
