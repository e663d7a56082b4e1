// What a session sends, and the life of its streams.
#include <algorithm>
#include <utility>

#include "rpc/http2_session.h"

namespace tracker::rpc {

namespace {

constexpr Http2Session::StreamId stream_id_max = 0x7FFF'FFFF;
/// What owners send moves into out() while that is shorter.
constexpr std::size_t out_bytes_enough = 256 * 1024;
/// What was sent of a stream's bytes is dropped when there is so much of it, and as much as the rest.
constexpr std::size_t sent_bytes_enough = 64 * 1024;
/// A buffer that is empty keeps no more memory than this.
constexpr std::size_t buffer_bytes_kept = 256 * 1024;

}  // namespace

std::optional<Http2Session::StreamId> Http2Session::open(Http2Fields fields) {
  if (peer_ends_ || last_stream_ == stream_id_max) return std::nullopt;
  last_stream_ += last_stream_ == 0 ? 1 : 2;
  Stream& stream = streams_[last_stream_];
  stream.fields = std::move(fields);
  stream.send_window = peers_window_;
  not_begun_.push_back(last_stream_);
  begin_waiting();
  return last_stream_;
}

void Http2Session::begin_waiting() {
  while (!not_begun_.empty() && begun_ < peers_streams_max_ && out_.size() < out_bytes_enough) {
    const StreamId id = not_begun_.front();
    not_begun_.pop_front();
    Stream* stream = find(id);
    if (stream == nullptr) continue;
    append_fields(id, std::exchange(stream->fields, {}), false);
    stream->begun = true;
    ++begun_;
    queue(id, *stream);
  }
}

void Http2Session::respond(StreamId id, const Http2Fields& fields) {
  const Stream* stream = find(id);
  if (stream != nullptr && !stream->ending) append_fields(id, fields, false);
}

void Http2Session::send(StreamId id, std::string_view bytes) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->ending) return;
  stream->outgoing += bytes;
  waiting_ += bytes.size();
  queue(id, *stream);
}

void Http2Session::end(StreamId id, Http2Fields trailers) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->ending) return;
  stream->ending = true;
  if (end_ == End::server) stream->fields = std::move(trailers);
  queue(id, *stream);
}

std::size_t Http2Session::waiting_bytes(StreamId id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? 0 : found->second.outgoing.size() - found->second.sent;
}

void Http2Session::announce_end() {
  append_goaway(stream_id_max, Http2Error::none, out_);
}

/// It may have something to send.
void Http2Session::queue(StreamId id, Stream& stream) {
  if (!stream.begun || std::exchange(stream.queued, true)) return;
  ready_.push_back(id);
}

void Http2Session::fill() {
  begin_waiting();
  if (ready_.empty()) return;
  std::size_t done = 0;
  std::size_t kept = 0;
  for (; done < ready_.size() && out_.size() < out_bytes_enough && !stopped_; ++done) {
    const StreamId id = ready_[done];
    Stream* stream = find(id);
    if (stream != nullptr && !fill_from(id, *stream)) ready_[kept++] = id;
  }
  const auto begin = ready_.begin();
  ready_.erase(begin + static_cast<std::ptrdiff_t>(kept), begin + static_cast<std::ptrdiff_t>(done));
  // The others are next; where all must wait, the second.
  if (kept > 0)
    std::rotate(begin, begin + static_cast<std::ptrdiff_t>(kept < ready_.size() ? kept : 1), ready_.end());
}

/// Answers false if out() or the connection's window has no room for the rest.
bool Http2Session::fill_from(StreamId id, Stream& stream) {
  while (stream.sent < stream.outgoing.size() && stream.send_window > 0) {
    if (out_.size() >= out_bytes_enough || send_window_ <= 0) return false;
    const auto window = static_cast<std::size_t>(std::min(stream.send_window, send_window_));
    const auto size = std::min({stream.outgoing.size() - stream.sent, frame_bytes_max, window});
    append_frame_head({size, FrameType::data, frame_flag::none, id}, out_);
    out_.append(stream.outgoing, stream.sent, size);
    stream.sent += size;
    waiting_ -= size;
    stream.send_window -= static_cast<std::int64_t>(size);
    send_window_ -= static_cast<std::int64_t>(size);
    if (stream.sent >= sent_bytes_enough && 2 * stream.sent >= stream.outgoing.size()) {
      stream.outgoing.erase(0, std::exchange(stream.sent, 0));
    }
  }
  stream.queued = false;
  if (stream.sent < stream.outgoing.size()) return true;  // it is queued again when its window opens
  stream.outgoing.clear();
  if (stream.outgoing.capacity() > buffer_bytes_kept) stream.outgoing.shrink_to_fit();
  stream.sent = 0;
  if (!stream.ending || std::exchange(stream.ended, true)) return true;
  if (stream.fields.empty()) {
    append_frame_head({0, FrameType::data, frame_flag::end_stream, id}, out_);
  } else {
    append_fields(id, stream.fields, true);
  }
  if (stream.peer_ended) {
    close(id, Http2Error::none);
  } else if (end_ == End::server) {
    reset(id, Http2Error::none);  // section 8.1: nobody reads the rest of the request
  }
  return true;
}

void Http2Session::append_fields(StreamId id, const Http2Fields& fields, bool ends) {
  const std::string block = coder_.pack(fields);
  std::string_view left = block;
  auto type = FrameType::headers;
  std::uint8_t flags = ends ? frame_flag::end_stream : frame_flag::none;
  do {
    const auto part = left.substr(0, frame_bytes_max);
    left.remove_prefix(part.size());
    if (left.empty()) flags |= frame_flag::end_headers;
    append_frame_head({part.size(), type, flags, id}, out_);
    out_ += part;
    type = FrameType::continuation;
    flags = frame_flag::none;
  } while (!left.empty());
}

void Http2Session::reset(StreamId id, Http2Error error) {
  append_rst_stream(id, error, out_);
  close(id, error);
}

void Http2Session::close(StreamId id, Http2Error error) {
  const auto found = streams_.find(id);
  const Stream& stream = found->second;
  if (end_ == End::client && stream.begun) --begun_;
  waiting_ -= stream.outgoing.size() - stream.sent;
  received_.kept -= stream.received.kept;
  received_.given += stream.received.kept;
  open_window(0, received_);
  streams_.erase(found);
  events_.on_closed(id, error);
  if (end_ == End::client) begin_waiting();
}

}  // namespace tracker::rpc
