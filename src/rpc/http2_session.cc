#include "rpc/http2_session.h"

#include <algorithm>
#include <utility>

namespace tracker::rpc {

namespace {

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // section 3.4
constexpr std::uint32_t tracker_protocol = 1;
constexpr std::size_t priority_bytes = 5;         // section 6.3
constexpr std::uint32_t default_window = 65'535;  // section 6.9.2
constexpr std::int64_t window_max = 0x7FFF'FFFF;  // section 6.9.1
/// A stream's, and that of all streams together. It must hold a message of 8 MiB while less than a step is not announced.
constexpr std::uint32_t window_bytes = 12 * 1024 * 1024;
/// The peer is told as soon as so much of it is free again.
constexpr std::uint32_t window_step = window_bytes / 4;
/// An envoy has one for its batches, and one for each token that it mints.
constexpr std::uint32_t streams_max = 128;
/// Until so much has come as opens the connection's window again: each costs a look at every stream, and ours send one.
constexpr int settings_max = 1000;
constexpr std::size_t field_bytes_max = 64 * 1024;
/// A peer who makes out() longer, with what must be answered, does not read the answers.
constexpr std::size_t out_bytes_max = 1024 * 1024;

}  // namespace

std::optional<bool> is_from_tracker(std::string_view first_bytes) {
  std::string expected(preface);
  append_frame_head({0, FrameType::settings, frame_flag::none, 0}, expected);
  append_number(static_cast<std::uint16_t>(Setting::tracker), 2, expected);
  constexpr auto length_begin = preface.size();  // the frame's, which may be any but 0
  constexpr auto length_end = length_begin + 3;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (i == length_end && read_number(first_bytes.substr(length_begin, 3)) == 0) return false;
    if (i == first_bytes.size()) return std::nullopt;
    if ((i < length_begin || i >= length_end) && first_bytes[i] != expected[i]) return false;
  }
  return true;
}

Http2Session::Http2Session(End end, Events& events)
    : end_(end), events_(events), send_window_(default_window), peers_window_(default_window) {
  if (end_ == End::client) {
    out_ += preface;
    append_settings({{Setting::tracker, tracker_protocol},
                     {Setting::enable_push, 0},
                     {Setting::initial_window_size, window_bytes}},
                    out_);
  } else {
    preface_left_ = preface.size();
    append_settings(
        {{Setting::max_concurrent_streams, streams_max}, {Setting::initial_window_size, window_bytes}}, out_);
  }
  append_window_update(0, window_bytes - default_window, out_);
}

Http2Session::Stream* Http2Session::find(StreamId id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second;
}

/// Whether nobody has begun it yet (section 5.1).
bool Http2Session::is_idle(StreamId id) const noexcept {
  return id % 2 == 0 || id > last_stream_;
}

Http2Error Http2Session::receive(std::string_view bytes) {
  const bool continues = !unread_.empty();
  if (continues) {
    unread_ += bytes;
    bytes = unread_;
  }
  auto error = Http2Error::none;
  if (preface_left_ > 0) {
    const auto due = preface.substr(preface.size() - preface_left_, bytes.size());
    if (!bytes.starts_with(due)) error = Http2Error::protocol_error;
    preface_left_ -= due.size();
    bytes.remove_prefix(due.size());
  }
  while (error == Http2Error::none && !stopped_) {
    const auto head = read_frame_head(bytes);
    if (!head) break;
    if (head->size > frame_bytes_max) {
      error = Http2Error::frame_size_error;
    } else if (bytes.size() < frame_head_bytes + head->size) {
      break;
    } else {
      error = take_frame(*head, bytes.substr(frame_head_bytes, head->size));
      bytes.remove_prefix(frame_head_bytes + head->size);
    }
  }
  if (error != Http2Error::none) {
    append_goaway(end_ == End::server ? last_stream_ : 0, error, out_);
    stop();
  }
  if (continues) {
    unread_.erase(0, unread_.size() - bytes.size());
  } else {
    unread_ = bytes;
  }
  return error;
}

Http2Error Http2Session::take_frame(const FrameHead& head, std::string_view payload) {
  const bool is_settings = head.type == FrameType::settings && !head.has(frame_flag::ack);
  if (!settled_ && !is_settings) return Http2Error::protocol_error;  // section 3.4
  if (out_.size() > out_bytes_max) return Http2Error::enhance_your_calm;
  if (block_stream_ != 0 && head.type != FrameType::continuation) return Http2Error::protocol_error;
  switch (head.type) {
    case FrameType::data:
      return take_data(head, payload);
    case FrameType::headers:
      return take_headers(head, payload);
    case FrameType::priority:
      if (head.stream == 0) return Http2Error::protocol_error;
      return payload.size() == priority_bytes ? Http2Error::none : Http2Error::frame_size_error;
    case FrameType::rst_stream:
      return take_rst_stream(head, payload);
    case FrameType::settings:
      return take_settings(head, payload);
    case FrameType::push_promise:  // a client may not, and a server was told not to
      return Http2Error::protocol_error;
    case FrameType::ping:
      return take_ping(head, payload);
    case FrameType::goaway:
      return take_goaway(head, payload);
    case FrameType::window_update:
      return take_window_update(head, payload);
    case FrameType::continuation:
      return take_continuation(head, payload);
  }
  return Http2Error::none;  // section 5.5: what is not known is left alone
}

Http2Error Http2Session::take_data(const FrameHead& head, std::string_view payload) {
  if (is_idle(head.stream)) return Http2Error::protocol_error;
  const std::size_t size = payload.size();  // with its padding, which counts, too (section 6.9.1)
  if (received_.kept + received_.given + size > window_bytes) return Http2Error::flow_control_error;
  if (!remove_padding(head, payload)) return Http2Error::protocol_error;
  Stream* stream = find(head.stream);
  if (stream == nullptr || stream->peer_ended) {
    received_.given += size;
    open_window(0, received_);
    // One that is over may not be known to be so yet.
    if (stream != nullptr) reset(head.stream, Http2Error::stream_closed);
    return Http2Error::none;
  }
  received_.kept += size;
  stream->received.kept += size;
  if (stream->received.kept + stream->received.given > window_bytes) return Http2Error::flow_control_error;
  give_back(head.stream, size - payload.size());
  if (size > 0) events_.on_data(head.stream, payload);
  if (head.has(frame_flag::end_stream)) take_peers_end(head.stream);
  return Http2Error::none;
}

bool Http2Session::give_back(StreamId id, std::size_t bytes) {
  Stream* stream = find(id);
  if (stream == nullptr || bytes == 0) return false;
  for (Received* received : {&stream->received, &received_}) {
    received->kept -= bytes;
    received->given += bytes;
  }
  const bool told = open_window(0, received_);
  return (!stream->peer_ended && open_window(id, stream->received)) || told;
}

/// Answers whether it was worth a word.
bool Http2Session::open_window(StreamId id, Received& received) {
  if (received.given < window_step) return false;
  append_window_update(id, static_cast<std::uint32_t>(std::exchange(received.given, 0)), out_);
  if (id == 0) settings_ = 0;
  return true;
}

void Http2Session::take_peers_end(StreamId id) {
  Stream* stream = stopped_ ? nullptr : find(id);
  if (stream == nullptr) return;
  stream->peer_ended = true;
  events_.on_peer_end(id);
  if (!stopped_ && stream->ended) close(id, Http2Error::none);
}

Http2Error Http2Session::take_headers(const FrameHead& head, std::string_view payload) {
  if (head.stream % 2 == 0) return Http2Error::protocol_error;
  if (end_ == End::client && is_idle(head.stream)) return Http2Error::protocol_error;
  if (!remove_padding(head, payload)) return Http2Error::protocol_error;
  if (head.has(frame_flag::has_priority)) {
    if (payload.size() < priority_bytes) return Http2Error::frame_size_error;
    payload.remove_prefix(priority_bytes);
  }
  if (head.has(frame_flag::end_headers))
    return take_fields(head.stream, payload, head.has(frame_flag::end_stream));
  block_ = payload;
  block_stream_ = head.stream;
  block_ends_ = head.has(frame_flag::end_stream);
  return Http2Error::none;
}

Http2Error Http2Session::take_continuation(const FrameHead& head, std::string_view payload) {
  if (block_stream_ == 0 || head.stream != block_stream_) return Http2Error::protocol_error;
  const bool ends = head.has(frame_flag::end_headers);
  block_ += payload;
  if (block_.size() > field_bytes_max || (payload.empty() && !ends)) return Http2Error::enhance_your_calm;
  if (!ends) return Http2Error::none;
  const std::string block = std::exchange(block_, {});
  return take_fields(std::exchange(block_stream_, 0), block, block_ends_);
}

Http2Error Http2Session::take_fields(StreamId id, std::string_view block, bool ends) {
  const bool begins = is_idle(id);  // of a server only
  const bool refused = begins && streams_.size() >= streams_max;
  if (begins) last_stream_ = id;
  if (begins && !refused) {
    Stream& stream = streams_[id];
    stream.begun = true;
    stream.send_window = peers_window_;
    events_.on_begin(id);
  }
  const Stream* stream = find(id);
  const bool late = stream != nullptr && stream->peer_ended;
  // Also where nobody hears them: those that follow build on them.
  const auto error =
      coder_.unpack(block, field_bytes_max, [&](std::string_view name, std::string_view value) {
        if (stream != nullptr && !late && !stopped_) events_.on_field(id, name, value);
      });
  if (error != Http2Error::none) return error;
  if (refused) {
    append_rst_stream(id, Http2Error::refused_stream, out_);
  } else if (late) {
    reset(id, Http2Error::stream_closed);
  } else {
    if (begins && !stopped_) events_.on_request(id);
    if (ends) take_peers_end(id);
  }
  return Http2Error::none;
}

Http2Error Http2Session::take_rst_stream(const FrameHead& head, std::string_view payload) {
  if (payload.size() != 4) return Http2Error::frame_size_error;
  if (is_idle(head.stream)) return Http2Error::protocol_error;
  if (find(head.stream) != nullptr) close(head.stream, Http2Error{read_number(payload)});
  return Http2Error::none;
}

Http2Error Http2Session::take_settings(const FrameHead& head, std::string_view payload) {
  if (head.stream != 0) return Http2Error::protocol_error;
  if (head.has(frame_flag::ack)) return payload.empty() ? Http2Error::none : Http2Error::frame_size_error;
  if (payload.size() % setting_bytes != 0) return Http2Error::frame_size_error;
  if (++settings_ > settings_max) return Http2Error::enhance_your_calm;
  settled_ = true;
  auto window = peers_window_;
  for (; !payload.empty(); payload.remove_prefix(setting_bytes)) {
    const auto setting = static_cast<std::uint16_t>(read_number(payload.substr(0, 2)));
    const auto error = apply(Setting{setting}, read_number(payload.substr(2, 4)), window);
    if (error != Http2Error::none) return error;
  }
  const auto change = window - std::exchange(peers_window_, window);
  for (auto& [id, stream] : streams_) {  // section 6.9.2
    stream.send_window += change;
    if (stream.send_window > window_max) return Http2Error::flow_control_error;
    if (change > 0) queue(id, stream);
  }
  append_frame_head({0, FrameType::settings, frame_flag::ack, 0}, out_);
  begin_waiting();
  return Http2Error::none;
}

/// Section 6.5.2.
Http2Error Http2Session::apply(Setting setting, std::uint32_t value, std::int64_t& window) {
  switch (setting) {
    case Setting::header_table_size:
      coder_.set_table_bytes(value);
      break;
    case Setting::enable_push:
      if (value > (end_ == End::server ? 1U : 0U)) return Http2Error::protocol_error;
      break;
    case Setting::max_concurrent_streams:
      peers_streams_max_ = value;
      break;
    case Setting::initial_window_size:
      if (value > window_max) return Http2Error::flow_control_error;
      window = value;
      break;
    case Setting::max_frame_size:
      if (value < frame_bytes_max || value > 0xFF'FFFF) return Http2Error::protocol_error;
      break;
    case Setting::tracker:
      break;
  }
  return Http2Error::none;
}

Http2Error Http2Session::take_ping(const FrameHead& head, std::string_view payload) {
  if (head.stream != 0) return Http2Error::protocol_error;
  if (payload.size() != 8) return Http2Error::frame_size_error;
  if (head.has(frame_flag::ack)) return Http2Error::none;
  append_frame_head({payload.size(), FrameType::ping, frame_flag::ack, 0}, out_);
  out_ += payload;
  return Http2Error::none;
}

Http2Error Http2Session::take_goaway(const FrameHead& head, std::string_view payload) {
  if (head.stream != 0) return Http2Error::protocol_error;
  if (payload.size() < 8) return Http2Error::frame_size_error;
  peer_ends_ = true;
  not_begun_.clear();
  if (end_ == End::server) return Http2Error::none;
  const auto last = static_cast<StreamId>(read_31_bits(payload.substr(0, 4)));
  std::vector<StreamId> refused;
  for (const auto& [id, stream] : streams_) {
    if (id > last || !stream.begun) refused.push_back(id);
  }
  for (const StreamId id : refused) {
    if (!stopped_ && find(id) != nullptr) close(id, Http2Error::refused_stream);
  }
  return Http2Error::none;
}

Http2Error Http2Session::take_window_update(const FrameHead& head, std::string_view payload) {
  if (payload.size() != 4) return Http2Error::frame_size_error;
  const auto more = read_31_bits(payload);
  if (head.stream == 0) {
    send_window_ += more;
    if (more == 0) return Http2Error::protocol_error;
    return send_window_ > window_max ? Http2Error::flow_control_error : Http2Error::none;
  }
  if (is_idle(head.stream)) return Http2Error::protocol_error;
  Stream* stream = find(head.stream);
  if (stream == nullptr) return Http2Error::none;
  stream->send_window += more;
  if (more == 0) {
    reset(head.stream, Http2Error::protocol_error);
  } else if (stream->send_window > window_max) {
    reset(head.stream, Http2Error::flow_control_error);
  } else {
    queue(head.stream, *stream);
  }
  return Http2Error::none;
}

}  // namespace tracker::rpc
