#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Frames of HTTP/2 (RFC 9113), byte by byte, for clients that behave as no library would.
namespace tracker::tests::http2 {

inline const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr std::size_t frame_bytes_max = 16'384;

enum FrameType : std::uint8_t {
  data_frame = 0,
  headers_frame = 1,
  rst_stream_frame = 3,
  settings_frame = 4,
  ping_frame = 6,
  goaway_frame = 7,
  window_update_frame = 8,
  continuation_frame = 9,
};
inline constexpr std::uint8_t end_stream = 1;
inline constexpr std::uint8_t ack = 1;
inline constexpr std::uint8_t end_headers = 4;

inline std::string number(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> 8 * i & 0xFFU);
  return text;
}

inline std::string frame(FrameType type, std::uint8_t flags, std::int32_t stream, std::string_view payload) {
  std::string bytes = number(static_cast<std::uint32_t>(payload.size()), 3);
  bytes += static_cast<char>(type);
  bytes += static_cast<char>(flags);
  bytes += number(static_cast<std::uint32_t>(stream), 4);
  return bytes.append(payload);
}

inline std::string settings(const std::vector<std::pair<std::uint16_t, std::uint32_t>>& all) {
  std::string payload;
  for (const auto& [id, value] : all) payload += number(id, 2) + number(value, 4);
  return frame(settings_frame, 0, 0, payload);
}
inline constexpr std::uint16_t initial_window_size = 4;
inline constexpr std::uint16_t tracker_setting = 0xF754;

inline std::string window_update(std::int32_t stream, std::uint32_t bytes) {
  return frame(window_update_frame, 0, stream, number(bytes, 4));
}

inline std::string rst_stream(std::int32_t stream, std::uint32_t error) {
  return frame(rst_stream_frame, 0, stream, number(error, 4));
}

/// A string of HPACK without compression (RFC 7541, section 5.2).
inline std::string hpack_string(std::string_view text) {
  std::string bytes;
  std::size_t size = text.size();
  if (size < 127) {
    bytes += static_cast<char>(size);
  } else {
    bytes += '\x7F';
    for (size -= 127; size >= 128; size /= 128) bytes += static_cast<char>(size % 128 + 128);
    bytes += static_cast<char>(size);
  }
  return bytes.append(text);
}

using Fields = std::vector<std::pair<std::string, std::string>>;

/// Literal fields without indexing (RFC 7541, section 6.2.2), so that the block depends on no other one.
inline std::string block(const Fields& fields) {
  std::string bytes;
  for (const auto& [name, value] : fields) bytes += '\0' + hpack_string(name) + hpack_string(value);
  return bytes;
}

inline Fields grpc_request(const std::string& method) {
  return {{":method", "POST"}, {":scheme", "http"}, {":path", method},
          {":authority", "x"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
}

inline std::string headers(std::int32_t stream, const Fields& fields, std::uint8_t flags = 0) {
  return frame(headers_frame, static_cast<std::uint8_t>(end_headers | flags), stream, block(fields));
}

/// `flags` are those of the last frame.
inline std::string data(std::int32_t stream, std::string_view content, std::uint8_t flags = 0) {
  std::string bytes;
  do {
    const auto part = content.substr(0, frame_bytes_max);
    content.remove_prefix(part.size());
    bytes += frame(data_frame, content.empty() ? flags : std::uint8_t{0}, stream, part);
  } while (!content.empty());
  return bytes;
}

/// The prefix of a gRPC message of this size.
inline std::string message_head(std::uint32_t size) {
  return std::string(1, '\0') + number(size, 4);
}
inline std::string message(std::string_view content) {
  return message_head(static_cast<std::uint32_t>(content.size())).append(content);
}

/// The first bytes of one of tracker's envoys, with the largest possible windows.
inline std::string envoys_first_bytes() {
  return preface + settings({{tracker_setting, 1}, {initial_window_size, 0x7FFF'FFFF}}) +
         window_update(0, 0x7FFF'0000);
}

/// The first bytes of another client.
inline std::string callers_first_bytes() {
  return preface + settings({});
}

}  // namespace tracker::tests::http2
