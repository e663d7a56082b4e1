#pragma once

#include <boost/system/result.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The parts of gRPC over HTTP/2 (its PROTOCOL-HTTP2.md) that need no connection. Pure.
namespace tracker::rpc {

/// The status codes of gRPC that tracker uses.
enum class StatusCode : int {
  ok = 0,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  resource_exhausted = 8,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
};

struct Status {
  StatusCode code = StatusCode::ok;
  std::string message = {};
};

/// Length-Prefixed-Message: one byte that says whether the message is compressed, and four bytes of length.
inline constexpr std::size_t prefix_bytes = 5;

/// Reads "grpc-timeout": one to eight digits and a unit (H, M, S, m, u, n). Rounds down to milliseconds. Nothing:
/// malformed.
std::optional<std::chrono::milliseconds> parse_timeout(std::string_view text);

/// Checks "content-type": "application/grpc", optionally followed by "+proto" or parameters.
bool is_grpc_content_type(std::string_view text);

/// "grpc-encoding": the compression of a call's messages.
enum class Encoding : std::uint8_t { identity, gzip, deflate };
std::optional<Encoding> parse_encoding(std::string_view text);
/// "grpc-accept-encoding": everything that parse_encoding() knows.
inline constexpr std::string_view accepted_encodings = "identity,deflate,gzip";

/// "grpc-message": percent-encodes everything outside of printable ASCII.
std::string percent_encode(std::string_view text);
/// Leaves invalid encodings as they are.
std::string percent_decode(std::string_view text);

/// Returns the message without its compression. Fails with `resource_exhausted` if it would be longer than `bytes_max`,
/// and with `internal` if it cannot be decompressed.
boost::system::result<std::string, StatusCode> decompress(std::string_view message, std::size_t bytes_max);

}  // namespace tracker::rpc
