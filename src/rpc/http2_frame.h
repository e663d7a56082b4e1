#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

/// HTTP/2's frames (RFC 9113, sections 4, 6 and 7), as bytes. Pure.
namespace tracker::rpc {

/// Error codes, as far as they are said here; others come from the peer.
enum class Http2Error : std::uint32_t {
  none = 0,
  protocol_error = 1,
  flow_control_error = 3,
  stream_closed = 5,
  frame_size_error = 6,
  refused_stream = 7,
  compression_error = 9,
  enhance_your_calm = 11,
};

/// As RFC 9113 writes it, such as PROTOCOL_ERROR.
std::string name_of(Http2Error error);

enum class FrameType : std::uint8_t {
  data,
  headers,
  priority,
  rst_stream,
  settings,
  push_promise,
  ping,
  goaway,
  window_update,
  continuation,
};

namespace frame_flag {
constexpr std::uint8_t none = 0;
constexpr std::uint8_t end_stream = 0x1;
constexpr std::uint8_t ack = 0x1;
constexpr std::uint8_t end_headers = 0x4;
constexpr std::uint8_t padded = 0x8;
constexpr std::uint8_t has_priority = 0x20;
}  // namespace frame_flag

enum class Setting : std::uint16_t {
  header_table_size = 1,
  enable_push = 2,
  max_concurrent_streams = 3,
  initial_window_size = 4,
  max_frame_size = 5,
  tracker = 0xF754,  // tracker's own, of those that IANA leaves to experiments: the version of its protocol
};

struct FrameHead {
  std::size_t size;
  FrameType type;
  std::uint8_t flags;
  std::int32_t stream;

  bool has(std::uint8_t flag) const noexcept { return (flags & flag) != 0; }
};

constexpr std::size_t frame_head_bytes = 9;
/// What everybody takes, and all that is asked for.
constexpr std::size_t frame_bytes_max = 16'384;
constexpr std::size_t setting_bytes = 6;

/// A number in network byte order.
std::uint32_t read_number(std::string_view bytes);
/// One of four bytes whose first bit is reserved, as a stream's or a window's are.
std::uint32_t read_31_bits(std::string_view bytes);
void append_number(std::uint32_t number, std::size_t bytes, std::string& out);

/// Nothing: there are too few bytes for one.
std::optional<FrameHead> read_frame_head(std::string_view bytes);
void append_frame_head(const FrameHead& head, std::string& out);

void append_settings(std::initializer_list<std::pair<Setting, std::uint32_t>> settings, std::string& out);
void append_window_update(std::int32_t stream, std::uint32_t more, std::string& out);
void append_rst_stream(std::int32_t stream, Http2Error error, std::string& out);
void append_goaway(std::int32_t last_stream, Http2Error error, std::string& out);

/// Takes off the padding that a frame says it has. Answers false if there is less than that.
bool remove_padding(const FrameHead& head, std::string_view& payload);

}  // namespace tracker::rpc
