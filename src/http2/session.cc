#include "http2/session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>

namespace tracker::http2 {

namespace {

/// fill() moves bytes to out() while out() is shorter than this.
constexpr std::size_t out_bytes_enough = 256 * 1024;
/// If out() is longer, or more control frames wait, the peer does not read what it asks for.
constexpr std::size_t out_bytes_max = 1024 * 1024;
constexpr std::size_t control_frames_max = 10'000;
/// The peer's budget of RST_STREAM frames: at first, and for each second. A client may cancel a thousand open calls
/// every second.
constexpr std::uint64_t resets_at_once = 20'000;
constexpr std::uint64_t resets_per_second = 5'000;
/// The sent part of a stream's bytes is dropped when it is this long and at least as long as the rest.
constexpr std::size_t sent_bytes_enough = 64 * 1024;
/// At most this many streams are kept for reuse, and none with a larger buffer than this.
constexpr std::size_t free_streams_max = 64;
constexpr std::size_t free_stream_bytes_max = 64 * 1024;
/// A field list counts 32 bytes for each field (RFC 9113, section 6.5.2).
constexpr std::size_t field_overhead_bytes = 32;

struct FreeOption {
  void operator()(nghttp2_option* option) const noexcept { nghttp2_option_del(option); }
};
struct FreeCallbacks {
  void operator()(nghttp2_session_callbacks* callbacks) const noexcept {
    nghttp2_session_callbacks_del(callbacks);
  }
};

std::string_view text(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

/// The fields in nghttp2's form. nghttp2 copies them at once.
std::vector<nghttp2_nv> name_values(Fields fields) {
  const auto bytes = [](std::string_view view) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(view.data()));
  };
  std::vector<nghttp2_nv> all;
  all.reserve(fields.size());
  for (const auto& [name, value] : fields) {
    all.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return all;
}

}  // namespace

std::string_view name_of(ErrorCode error) noexcept {
  return nghttp2_http2_strerror(static_cast<std::uint32_t>(error));
}

/// The callbacks of nghttp2. They only record what happened.
struct Session::Callbacks {
  static Session& session(void* user) { return *static_cast<Session*>(user); }

  static int on_begin_headers(nghttp2_session* /*nghttp2*/, const nghttp2_frame* frame, void* user) {
    Session& self = session(user);
    self.block_bytes_ = 0;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    self.streams_[frame->hd.stream_id] = self.new_stream();
    return 0;
  }

  static int on_header(nghttp2_session* /*nghttp2*/, const nghttp2_frame* /*frame*/, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t /*flags*/, void* user) {
    Session& self = session(user);
    self.block_bytes_ += name_size + value_size + field_overhead_bytes;
    if (self.block_bytes_ > self.field_bytes_max_) return 0;
    self.field_text_ += text(name, name_size);
    const std::size_t name_end = self.field_text_.size();
    self.field_text_ += text(value, value_size);
    self.fields_.push_back({name_end, self.field_text_.size()});
    return 0;
  }

  static int on_frame_recv(nghttp2_session* /*nghttp2*/, const nghttp2_frame* frame, void* user) {
    Session& self = session(user);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS: {
        const bool too_long = self.block_bytes_ > self.field_bytes_max_;
        self.recorded_.push_back({.kind = too_long ? Event::Kind::fields_too_long : Event::Kind::fields,
                                  .stream = frame->hd.stream_id,
                                  .data = {},
                                  .first_field = self.block_begin_,
                                  .field_count = self.fields_.size() - self.block_begin_});
        self.block_begin_ = self.fields_.size();
        break;
      }
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0 && !std::exchange(self.greeted_, true)) {
          for (std::size_t i = 0; i < frame->settings.niv; ++i)
            self.peers_first_settings_.push_back(
                {static_cast<std::uint16_t>(frame->settings.iv[i].settings_id), frame->settings.iv[i].value});
          self.recorded_.push_back({.kind = Event::Kind::greeted, .stream = 0, .data = {}});
        }
        break;
      case NGHTTP2_GOAWAY:
        self.on_peer_ends();
        break;
      default:
        break;
    }
    const bool has_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (has_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      self.recorded_.push_back({.kind = Event::Kind::peer_end, .stream = frame->hd.stream_id, .data = {}});
    }
    return 0;
  }

  static int on_data_chunk_recv(nghttp2_session* /*nghttp2*/, std::uint8_t /*flags*/, std::int32_t id,
                                const std::uint8_t* data, std::size_t size, void* user) {
    Session& self = session(user);
    if (Stream* stream = self.find(id)) stream->kept += size;
    self.recorded_.push_back({.kind = Event::Kind::data, .stream = id, .data = text(data, size)});
    return 0;
  }

  static int on_stream_close(nghttp2_session* /*nghttp2*/, std::int32_t id, std::uint32_t error, void* user) {
    Session& self = session(user);
    Stream* stream = self.find(id);
    if (stream == nullptr) return 0;
    stream->over = true;
    // A request that was never sent was not processed (RFC 9113, section 8.7).
    const bool unsent = self.end_ == End::client && !stream->request_sent;
    self.recorded_.push_back({.kind = Event::Kind::closed,
                              .stream = id,
                              .error = unsent ? ErrorCode::refused_stream : static_cast<ErrorCode>(error),
                              .data = {}});
    return 0;
  }

  static int on_frame_send(nghttp2_session* nghttp2, const nghttp2_frame* frame, void* user) {
    Session& self = session(user);
    const auto id = frame->hd.stream_id;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
      const auto debug = text(frame->goaway.opaque_data, frame->goaway.opaque_data_len);
      self.break_off(std::string(name_of(static_cast<ErrorCode>(frame->goaway.error_code))) +
                     (debug.empty() ? "" : ": ") + std::string(debug));
    }
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      if (Stream* stream = self.find(id)) stream->request_sent = true;
    }
    const bool has_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    const bool ends = has_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (self.end_ == End::server && ends && nghttp2_session_get_stream_remote_close(nghttp2, id) == 0) {
      self.check(nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR));
    }
    return 0;
  }

  static ssize_t read_body(nghttp2_session* nghttp2, std::int32_t id, std::uint8_t* to, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source* source, void* user) {
    Session& self = session(user);
    Stream& stream = *static_cast<Stream*>(source->ptr);
    const std::size_t part = std::min(size, stream.outgoing.size() - stream.sent);
    std::copy_n(stream.outgoing.data() + stream.sent, part, to);
    stream.sent += part;
    self.waiting_ -= part;
    if (stream.sent == stream.outgoing.size()) {
      stream.outgoing.clear();
      stream.sent = 0;
    } else if (stream.sent >= sent_bytes_enough && 2 * stream.sent >= stream.outgoing.size()) {
      stream.outgoing.erase(0, std::exchange(stream.sent, 0));
    }
    if (!stream.outgoing.empty()) return static_cast<ssize_t>(part);
    if (stream.ending) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!stream.trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        std::vector<Field> fields;
        for (const auto& [name, value] : stream.trailers) fields.push_back({name, value});
        const auto trailers = name_values(fields);
        self.check(nghttp2_submit_trailer(nghttp2, id, trailers.data(), trailers.size()));
      }
      return static_cast<ssize_t>(part);
    }
    if (part > 0) return static_cast<ssize_t>(part);
    stream.deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }

  static std::unique_ptr<nghttp2_session_callbacks, FreeCallbacks> all() {
    nghttp2_session_callbacks* callbacks = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
    std::unique_ptr<nghttp2_session_callbacks, FreeCallbacks> owner(callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk_recv);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    return owner;
  }
};

void Session::Free::operator()(nghttp2_session* session) const noexcept {
  nghttp2_session_del(session);
}

Session::Session(End end, Events& events, const Limits& limits, std::optional<Setting> first_setting)
    : end_(end), events_(events), field_bytes_max_(limits.field_bytes_max) {
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) throw std::bad_alloc();
  const std::unique_ptr<nghttp2_option, FreeOption> free_option(option);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_stream_reset_rate_limit(option, resets_at_once, resets_per_second);
  nghttp2_session* session = nullptr;
  const auto make = end == End::client ? nghttp2_session_client_new2 : nghttp2_session_server_new2;
  check(make(&session, Callbacks::all().get(), this, option));
  session_.reset(session);

  std::vector<nghttp2_settings_entry> settings;
  if (first_setting) settings.push_back({first_setting->id, first_setting->value});
  if (end == End::client) {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  } else {
    settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams_max});
    settings.push_back(
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.field_bytes_max)});
    settings.push_back({NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1});
  }
  settings.push_back({NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window_bytes});
  check(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size()));
  check(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                              static_cast<std::int32_t>(limits.connection_window_bytes)));
}

Session::~Session() = default;

void Session::Stream::clear() {
  outgoing.clear();
  trailers.clear();
  sent = kept = 0;
  told = over = request_sent = deferred = ending = false;
}

/// nghttp2 fails only for lack of memory, or if it is misused.
void Session::check(int result) const {
  if (result == NGHTTP2_ERR_NOMEM) throw std::bad_alloc();
  if (nghttp2_is_fatal(result) != 0) throw std::runtime_error(nghttp2_strerror(result));
}

Session::Stream* Session::find(StreamId id) {
  const auto found = streams_.find(id);
  return found == streams_.end() || found->second->over ? nullptr : found->second.get();
}

std::unique_ptr<Session::Stream> Session::new_stream() {
  if (free_streams_.empty()) return std::make_unique<Stream>();
  auto stream = std::move(free_streams_.back());
  free_streams_.pop_back();
  return stream;
}

/// Requests that were not sent yet will never be sent.
void Session::on_peer_ends() {
  peer_ends_ = true;
  for (auto& [id, stream] : streams_) {
    if (end_ == End::server || stream->request_sent || std::exchange(stream->over, true)) continue;
    recorded_.push_back(
        {.kind = Event::Kind::closed, .stream = id, .error = ErrorCode::refused_stream, .data = {}});
  }
}

void Session::break_off(std::string why) {
  if (why_.empty()) why_ = std::move(why);
}

bool Session::receive(std::string_view bytes) {
  if (out_.size() > out_bytes_max ||
      nghttp2_session_get_outbound_queue_size(session_.get()) > control_frames_max) {
    check(nghttp2_session_terminate_session(session_.get(), NGHTTP2_ENHANCE_YOUR_CALM));
    break_off("ENHANCE_YOUR_CALM: it does not read what it asks for");
    return false;
  }
  if (end_ == End::server) {
    filter_.filter(bytes, [this](std::string_view part) { receive_part(part); });
  } else {
    receive_part(bytes);
  }
  tell();
  fill();  // nghttp2 reports a broken protocol by a GOAWAY frame
  return why_.empty();
}

void Session::receive_part(std::string_view bytes) {
  if (!why_.empty()) return;
  const auto taken = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken == NGHTTP2_ERR_NOMEM) throw std::bad_alloc();
  if (taken < 0) break_off(nghttp2_strerror(static_cast<int>(taken)));
}

/// Tells what was recorded. Returns whether there was anything.
bool Session::tell() {
  if (recorded_.empty() || telling_) return false;
  telling_ = true;
  for (std::size_t i = 0; i < recorded_.size(); ++i) tell(recorded_[i]);
  recorded_.clear();
  // The rest belongs to a field list that is still incomplete.
  const std::size_t told_text = block_begin_ == 0 ? 0 : fields_[block_begin_ - 1].value;
  field_text_.erase(0, told_text);
  fields_.erase(fields_.begin(), fields_.begin() + static_cast<std::ptrdiff_t>(block_begin_));
  for (auto& ends : fields_) ends = {ends.name - told_text, ends.value - told_text};
  block_begin_ = 0;
  telling_ = false;
  return true;
}

void Session::tell(Event event) {
  if (event.kind == Event::Kind::greeted) return events_.on_greeted();
  const auto found = streams_.find(event.stream);
  if (found == streams_.end()) return;
  Stream& stream = *found->second;
  if (event.kind == Event::Kind::closed) return tell_closed(event);
  if (stream.over && !stream.told) return;  // invariant 2
  stream.told = true;
  switch (event.kind) {
    case Event::Kind::fields:
      return tell_fields(event);
    case Event::Kind::fields_too_long:
      return events_.on_fields_too_long(event.stream);
    case Event::Kind::data:
      return events_.on_data(event.stream, event.data);
    case Event::Kind::peer_end:
      return events_.on_peer_end(event.stream);
    case Event::Kind::greeted:
    case Event::Kind::closed:
      return;
  }
}

void Session::tell_fields(const Event& event) {
  told_fields_.clear();
  std::size_t begin = event.first_field == 0 ? 0 : fields_[event.first_field - 1].value;
  const std::string_view all = field_text_;
  for (std::size_t i = event.first_field; i < event.first_field + event.field_count; ++i) {
    const auto [name_end, value_end] = fields_[i];
    told_fields_.push_back({all.substr(begin, name_end - begin), all.substr(name_end, value_end - name_end)});
    begin = value_end;
  }
  events_.on_fields(event.stream, told_fields_);
}

void Session::tell_closed(const Event& event) {
  const auto found = streams_.find(event.stream);
  auto stream = std::move(found->second);
  streams_.erase(found);
  waiting_ -= stream->outgoing.size() - stream->sent;
  check(nghttp2_session_consume_connection(session_.get(), stream->kept));
  const bool told = stream->told;
  if (free_streams_.size() < free_streams_max && stream->outgoing.capacity() <= free_stream_bytes_max) {
    stream->clear();
    free_streams_.push_back(std::move(stream));
  }
  if (told) events_.on_closed(event.stream, event.error);
}

std::optional<std::uint32_t> Session::first_setting_of_peer(std::uint16_t id) const noexcept {
  for (const auto& setting : peers_first_settings_) {
    if (setting.id == id) return setting.value;
  }
  return std::nullopt;
}

void Session::set_windows(std::uint32_t stream_bytes, std::uint32_t connection_bytes) {
  const nghttp2_settings_entry window{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_bytes};
  check(nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, &window, 1));
  check(nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0,
                                              static_cast<std::int32_t>(connection_bytes)));
}

std::optional<StreamId> Session::open(Fields request) {
  if (nghttp2_session_check_request_allowed(session_.get()) == 0) return std::nullopt;
  auto stream = new_stream();
  stream->told = true;
  const auto fields = name_values(request);
  const nghttp2_data_provider body{.source = {.ptr = stream.get()}, .read_callback = Callbacks::read_body};
  const auto id =
      nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(), &body, nullptr);
  if (id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) return std::nullopt;
  check(id);
  streams_[id] = std::move(stream);
  return id;
}

void Session::respond(StreamId id, Fields fields) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  const auto response = name_values(fields);
  const nghttp2_data_provider body{.source = {.ptr = stream}, .read_callback = Callbacks::read_body};
  check(nghttp2_submit_response(session_.get(), id, response.data(), response.size(), &body));
}

void Session::respond_and_end(StreamId id, Fields fields) {
  if (find(id) == nullptr) return;
  const auto response = name_values(fields);
  check(nghttp2_submit_response(session_.get(), id, response.data(), response.size(), nullptr));
}

void Session::send(StreamId id, std::string_view bytes) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->ending) return;
  stream->outgoing += bytes;
  waiting_ += bytes.size();
  resume(id, *stream);
}

void Session::end(StreamId id, Fields trailers) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->ending) return;
  stream->ending = true;
  for (const auto& [name, value] : trailers) stream->trailers.emplace_back(name, value);
  resume(id, *stream);
}

/// Called when there is something to send again.
void Session::resume(StreamId id, Stream& stream) {
  if (std::exchange(stream.deferred, false)) check(nghttp2_session_resume_data(session_.get(), id));
}

void Session::reset(StreamId id, ErrorCode error) {
  if (find(id) == nullptr) return;
  check(nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, static_cast<std::uint32_t>(error)));
}

void Session::give_back(StreamId id, std::size_t bytes) {
  Stream* stream = find(id);
  if (stream == nullptr) return;  // its bytes were given back when the stream closed
  stream->kept -= bytes;
  check(nghttp2_session_consume(session_.get(), id, bytes));
}

std::size_t Session::waiting_bytes(StreamId id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? 0 : found->second->outgoing.size() - found->second->sent;
}

void Session::announce_end() {
  check(nghttp2_submit_shutdown_notice(session_.get()));
}

void Session::finish() {
  check(nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                              nullptr, 0));
}

bool Session::is_over() const noexcept {
  return out_.empty() && nghttp2_session_want_read(session_.get()) == 0 &&
         nghttp2_session_want_write(session_.get()) == 0;
}

void Session::fill() {
  if (telling_) return;  // the caller of the events fills afterwards
  do {
    while (out_.size() < out_bytes_enough) {
      const std::uint8_t* bytes = nullptr;
      const auto size = nghttp2_session_mem_send(session_.get(), &bytes);
      if (size < 0) check(static_cast<int>(size));
      if (size <= 0) break;
      out_ += text(bytes, static_cast<std::size_t>(size));
    }
  } while (tell());
}

}  // namespace tracker::http2
