#include "support/http2_client.h"

#include <nghttp2/nghttp2.h>

#include <stdexcept>

#include "support/http2_frames.h"

namespace tracker::tests {

using namespace http2;

namespace {

std::uint32_t read_number(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes) value = value << 8U | static_cast<unsigned char>(byte);
  return value;
}

}  // namespace

void Http2Client::Free::operator()(nghttp2_hd_inflater* inflater) const noexcept {
  nghttp2_hd_inflate_del(inflater);
}

Http2Client::Http2Client(const Endpoint& server, std::string_view first_bytes) : raw_(server) {
  nghttp2_hd_inflater* inflater = nullptr;
  nghttp2_hd_inflate_new(&inflater);
  inflater_.reset(inflater);
  raw_.send(first_bytes);
}

Http2Client::~Http2Client() = default;

const Http2Client::Answer& Http2Client::call(std::int32_t stream, const std::string& method,
                                             std::string_view message) {
  send(headers(stream, grpc_request(method)) + data(stream, http2::message(message), end_stream));
  return wait(stream);
}

const Http2Client::Answer& Http2Client::peek(std::int32_t stream) {
  take();
  return answers_[stream];
}

const Http2Client::Answer& Http2Client::wait(std::int32_t stream) {
  for (const Deadline deadline;;) {
    const Answer& answer = peek(stream);
    if (answer.ended || answer.reset) return answer;
    if (deadline.passed()) throw std::runtime_error("no answer on stream " + std::to_string(stream));
    if (raw_.end() != RawClient::End::none) throw std::runtime_error("the server has ended the connection");
    raw_.receive_more(std::chrono::milliseconds(100));
  }
}

void Http2Client::take() {
  while (raw_.receive_more(std::chrono::milliseconds(0))) {
  }
  constexpr std::size_t head_bytes = 9;
  for (;;) {
    const std::string_view left = raw_.unread().substr(parsed_);
    if (left.size() < head_bytes) return;
    const std::size_t size = read_number(left.substr(0, 3));
    if (left.size() < head_bytes + size) return;
    const std::string payload(left.substr(head_bytes, size));
    const auto type = static_cast<std::uint8_t>(left[3]);
    const auto flags = static_cast<std::uint8_t>(left[4]);
    const auto stream = static_cast<std::int32_t>(read_number(left.substr(5, 4)));
    parsed_ += head_bytes + size;
    take_frame(type, flags, stream, payload);
  }
}

void Http2Client::take_frame(std::uint8_t type, std::uint8_t flags, std::int32_t stream,
                             std::string_view payload) {
  Answer& answer = answers_[stream];
  switch (type) {
    case data_frame:
      answer.data += payload;
      break;
    case headers_frame:
      answer.trailers_only = answer.fields.empty() && (flags & end_stream) != 0;
      take_fields(answer, payload);
      break;
    case rst_stream_frame:
      answer.reset = read_number(payload);
      return;
    case settings_frame:
      if ((flags & ack) == 0) raw_.send(frame(settings_frame, ack, 0, ""));
      return;
    case goaway_frame:
      goaways_[static_cast<std::int32_t>(read_number(payload.substr(0, 4)))] =
          read_number(payload.substr(4, 4));
      return;
    default:
      return;
  }
  answer.ended = answer.ended || (flags & end_stream) != 0;
}

void Http2Client::take_fields(Answer& answer, std::string_view block) {
  auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
  const auto* end = at + block.size();
  for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
    nghttp2_nv field{};
    const auto taken =
        nghttp2_hd_inflate_hd2(inflater_.get(), &field, &flags, at, static_cast<std::size_t>(end - at), 1);
    if (taken < 0) throw std::runtime_error("its fields cannot be unpacked");
    at += taken;
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0) continue;
    answer.fields[{reinterpret_cast<const char*>(field.name), field.namelen}] = {
        reinterpret_cast<const char*>(field.value), field.valuelen};
  }
  nghttp2_hd_inflate_end_headers(inflater_.get());
}

}  // namespace tracker::tests
