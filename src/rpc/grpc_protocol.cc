#include "rpc/grpc_protocol.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <new>

namespace tracker::rpc {

namespace {

constexpr std::size_t timeout_digits_max = 8;
constexpr std::string_view grpc_content_type = "application/grpc";

bool is_plain(char c) {
  return c >= 0x20 && c <= 0x7E && c != '%';
}

std::optional<unsigned> hex_value(std::string_view two_digits) {
  unsigned value = 0;
  const auto [end, error] =
      std::from_chars(two_digits.data(), two_digits.data() + two_digits.size(), value, 16);
  if (two_digits.size() != 2 || error != std::errc() || end != two_digits.data() + 2) return std::nullopt;
  return value;
}

struct EndInflate {
  void operator()(z_stream* stream) const noexcept { inflateEnd(stream); }
};

}  // namespace

std::optional<std::chrono::milliseconds> parse_timeout(std::string_view text) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  if (text.size() < 2 || text.size() > timeout_digits_max + 1) return std::nullopt;
  std::uint32_t value = 0;
  const char* digits_end = text.data() + text.size() - 1;
  const auto [end, error] = std::from_chars(text.data(), digits_end, value);
  if (error != std::errc() || end != digits_end) return std::nullopt;
  switch (text.back()) {
    case 'H':
      return std::chrono::hours(value);
    case 'M':
      return std::chrono::minutes(value);
    case 'S':
      return std::chrono::seconds(value);
    case 'm':
      return milliseconds(value);
    case 'u':
      return duration_cast<milliseconds>(std::chrono::microseconds(value));
    case 'n':
      return duration_cast<milliseconds>(std::chrono::nanoseconds(value));
    default:
      return std::nullopt;
  }
}

bool is_grpc_content_type(std::string_view text) {
  if (!text.starts_with(grpc_content_type)) return false;
  text.remove_prefix(grpc_content_type.size());
  return text.empty() || text.front() == '+' || text.front() == ';';
}

std::optional<Encoding> parse_encoding(std::string_view text) {
  if (text == "identity") return Encoding::identity;
  if (text == "gzip") return Encoding::gzip;
  if (text == "deflate") return Encoding::deflate;
  return std::nullopt;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (is_plain(c)) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += {'%', digits[byte >> 4U], digits[byte & 0xFU]};
    }
  }
  return encoded;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto value = text[i] == '%' ? hex_value(text.substr(i + 1, 2)) : std::nullopt;
    decoded += value ? static_cast<char>(*value) : text[i];
    if (value) i += 2;
  }
  return decoded;
}

boost::system::result<std::string, StatusCode> decompress(std::string_view message, std::size_t bytes_max) {
  z_stream stream{};
  constexpr int gzip_or_zlib = 15 + 32;  // zlib.h, inflateInit2
  if (inflateInit2(&stream, gzip_or_zlib) != Z_OK) throw std::bad_alloc();
  const std::unique_ptr<z_stream, EndInflate> end(&stream);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
  stream.avail_in = static_cast<uInt>(message.size());
  std::string bytes(std::min(bytes_max + 1, 16 * message.size() + 64), '\0');
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data()) + stream.total_out;
    stream.avail_out = static_cast<uInt>(bytes.size() - stream.total_out);
    const int outcome = inflate(&stream, Z_NO_FLUSH);
    if (outcome == Z_MEM_ERROR) throw std::bad_alloc();
    if (stream.total_out > bytes_max) return StatusCode::resource_exhausted;
    if (outcome == Z_STREAM_END) {
      if (stream.avail_in > 0) return StatusCode::internal;
      bytes.resize(stream.total_out);
      return bytes;
    }
    if (outcome != Z_OK || stream.avail_out > 0) return StatusCode::internal;  // damaged, or cut off
    bytes.resize(std::min(bytes_max + 1, 2 * bytes.size()));
  }
}

}  // namespace tracker::rpc
