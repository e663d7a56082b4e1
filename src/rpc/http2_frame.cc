#include "rpc/http2_frame.h"

#include <nghttp2/nghttp2.h>

namespace tracker::rpc {

std::string name_of(Http2Error error) {
  return ::nghttp2_http2_strerror(static_cast<std::uint32_t>(error));
}

std::uint32_t read_number(std::string_view bytes) {
  std::uint32_t number = 0;
  for (const char byte : bytes) number = number << 8U | static_cast<std::uint8_t>(byte);
  return number;
}

std::uint32_t read_31_bits(std::string_view bytes) {
  return read_number(bytes) & 0x7FFF'FFFFU;
}

void append_number(std::uint32_t number, std::size_t bytes, std::string& out) {
  out.resize(out.size() + bytes);
  for (auto at = out.rbegin(); bytes > 0; --bytes, number >>= 8U) *at++ = static_cast<char>(number & 0xFFU);
}

std::optional<FrameHead> read_frame_head(std::string_view bytes) {
  if (bytes.size() < frame_head_bytes) return std::nullopt;
  return FrameHead{read_number(bytes.substr(0, 3)), FrameType{static_cast<std::uint8_t>(bytes[3])},
                   static_cast<std::uint8_t>(bytes[4]),
                   static_cast<std::int32_t>(read_31_bits(bytes.substr(5, 4)))};
}

void append_frame_head(const FrameHead& head, std::string& out) {
  const auto byte = [](std::size_t number, int shift) { return static_cast<char>(number >> shift & 0xFFU); };
  const auto stream = static_cast<std::size_t>(head.stream);
  const char bytes[frame_head_bytes] = {byte(head.size, 16),
                                        byte(head.size, 8),
                                        byte(head.size, 0),
                                        static_cast<char>(head.type),
                                        static_cast<char>(head.flags),
                                        byte(stream, 24),
                                        byte(stream, 16),
                                        byte(stream, 8),
                                        byte(stream, 0)};
  out.append(bytes, sizeof bytes);
}

void append_settings(std::initializer_list<std::pair<Setting, std::uint32_t>> settings, std::string& out) {
  append_frame_head({setting_bytes * settings.size(), FrameType::settings, frame_flag::none, 0}, out);
  for (const auto& [setting, value] : settings) {
    append_number(static_cast<std::uint16_t>(setting), 2, out);
    append_number(value, 4, out);
  }
}

void append_window_update(std::int32_t stream, std::uint32_t more, std::string& out) {
  append_frame_head({4, FrameType::window_update, frame_flag::none, stream}, out);
  append_number(more, 4, out);
}

void append_rst_stream(std::int32_t stream, Http2Error error, std::string& out) {
  append_frame_head({4, FrameType::rst_stream, frame_flag::none, stream}, out);
  append_number(static_cast<std::uint32_t>(error), 4, out);
}

void append_goaway(std::int32_t last_stream, Http2Error error, std::string& out) {
  append_frame_head({8, FrameType::goaway, frame_flag::none, 0}, out);
  append_number(static_cast<std::uint32_t>(last_stream), 4, out);
  append_number(static_cast<std::uint32_t>(error), 4, out);
}

bool remove_padding(const FrameHead& head, std::string_view& payload) {
  if (!head.has(frame_flag::padded)) return true;
  if (payload.empty()) return false;
  const auto padding = static_cast<std::uint8_t>(payload.front());
  payload.remove_prefix(1);
  if (padding > payload.size()) return false;
  payload.remove_suffix(padding);
  return true;
}

}  // namespace tracker::rpc
