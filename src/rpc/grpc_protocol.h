#pragma once

#include <boost/system/result.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// gRPC over HTTP/2 as its PROTOCOL-HTTP2.md describes it: what can be decided without a connection. Pure.
namespace tracker::rpc {

/// gRPC's status codes, as far as tracker uses them.
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

/// Length-Prefixed-Message: one byte that says whether the message is compressed, and its length in four.
inline constexpr std::size_t prefix_bytes = 5;

/// "grpc-timeout": one to eight digits and a unit (H, M, S, m, u, n). Rounded down to milliseconds. Nothing: malformed.
std::optional<std::chrono::milliseconds> parse_timeout(std::string_view text);

/// "content-type": "application/grpc", maybe with "+proto" or parameters behind it.
bool is_grpc_content_type(std::string_view text);

/// "grpc-encoding": how a call's compressed messages are compressed.
enum class Encoding : std::uint8_t { identity, gzip, deflate };
std::optional<Encoding> parse_encoding(std::string_view text);
/// "grpc-accept-encoding": all that parse_encoding() knows.
inline constexpr std::string_view accepted_encodings = "identity,deflate,gzip";

/// "grpc-message": percent-encoded outside of printable ASCII.
std::string percent_encode(std::string_view text);
/// Leaves what is not validly encoded as it is.
std::string percent_decode(std::string_view text);

/// The message without its compression. Fails with `resource_exhausted` if it would be longer than `bytes_max`, with
/// `internal` if it cannot be decompressed.
boost::system::result<std::string, StatusCode> decompress(std::string_view message, std::size_t bytes_max);

}  // namespace tracker::rpc
