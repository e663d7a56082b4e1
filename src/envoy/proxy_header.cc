#include "envoy/proxy_header.h"

#include <algorithm>
#include <array>

namespace tracker::envoy {

namespace {

using namespace std::string_view_literals;
using Kind = ProxyHeader::Kind;

constexpr auto signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t fixed_bytes = 16;  // signature, version and command, family and transport, length

constexpr std::uint8_t version = 2;
enum Command : std::uint8_t { local, proxy };
enum Family : std::uint8_t { unspecified, inet, inet6, local_sockets };
constexpr std::array<std::size_t, 4> address_bytes{0, 12, 36,
                                                   216};  // of each family, both ends with their ports
enum Transport : std::uint8_t { unspecified_transport, stream, datagrams };

domain::IpAddress v4_address(std::string_view bytes) {
  domain::IpAddress address{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}};
  std::copy_n(bytes.begin(), 4, address.bytes.begin() + 12);
  return address;
}

domain::IpAddress v6_address(std::string_view bytes) {
  domain::IpAddress address;
  std::copy_n(bytes.begin(), address.bytes.size(), address.bytes.begin());
  return address;
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view input, std::size_t bytes_max) {
  const auto begin = input.substr(0, signature.size());
  if (!signature.starts_with(begin)) return {.kind = Kind::malformed};
  const auto byte = [input](std::size_t at) { return static_cast<std::uint8_t>(input[at]); };
  if (input.size() <= 12) return {};
  const auto command = byte(12) & 0xF;
  if (byte(12) >> 4 != version || command > proxy) return {.kind = Kind::malformed};
  if (input.size() <= 13) return {};
  const auto family = static_cast<std::size_t>(byte(13) >> 4);
  const auto transport = byte(13) & 0xF;
  if (command == proxy && (family > local_sockets || transport > datagrams)) return {.kind = Kind::malformed};
  if (input.size() < fixed_bytes) return {};
  const auto length = static_cast<std::size_t>(byte(14) << 8 | byte(15));
  const std::size_t size = fixed_bytes + length;
  if (size > bytes_max || (command == proxy && length < address_bytes[family]))
    return {.kind = Kind::malformed};
  if (input.size() < size) return {};

  if (command == local) return {.kind = Kind::own, .size = size};
  const auto source = input.substr(fixed_bytes);
  if (transport == stream && family == inet)
    return {.kind = Kind::client, .size = size, .client = v4_address(source)};
  if (transport == stream && family == inet6)
    return {.kind = Kind::client, .size = size, .client = v6_address(source)};
  return {.kind = Kind::no_client, .size = size};
}

}  // namespace tracker::envoy
