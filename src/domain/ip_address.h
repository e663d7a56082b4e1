#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr_storage;

namespace tracker::domain {

/// An IP address. One of IPv4 is kept as the IPv6 address that it is mapped to (RFC 4291, section 2.5.5.2), so both ways
/// to write it are equal. `::` stands for an address that is not known, too.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  // in the order of the network

  // NOLINTNEXTLINE(modernize-use-nullptr): a mistake of clang-tidy 14
  auto operator<=>(const IpAddress&) const = default;

  bool is_v4() const noexcept;
  bool is_loopback() const noexcept;
};

/// All addresses that begin with the same bits.
struct IpNetwork {
  IpAddress first;
  unsigned prefix_bits = 128;  // of the 128 of an IPv6 address

  /// A network of one version of IP holds no address of the other one.
  bool holds(const IpAddress& address) const noexcept;
};

// All of these are pure.

/// The address of a socket. `::` for other families than IP.
IpAddress ip_address_of(const sockaddr_storage& address) noexcept;

/// Such as `192.0.2.1` or `2001:db8::1`.
std::string to_string(const IpAddress& address);

/// Reads `192.0.2.1` or `2001:db8::1`. No port, no brackets, no zone.
std::optional<IpAddress> parse_ip_address(std::string_view text) noexcept;

/// Reads an address, or a network such as `192.0.2.0/24` or `2001:db8::/32`. The bits behind the prefix must be 0 (RFC
/// 4632, section 3.1).
std::optional<IpNetwork> parse_ip_network(std::string_view text) noexcept;

/// What counts as one client: an IPv4 address; or the first 64 bits of an IPv6 address, since a client commonly has all
/// addresses with that prefix (RFC 6177).
IpAddress client_part(IpAddress address) noexcept;

}  // namespace tracker::domain
