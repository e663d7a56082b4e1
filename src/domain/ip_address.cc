#include "domain/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "domain/ascii.h"

namespace tracker::domain {

namespace {

constexpr unsigned all_bits = 128;
constexpr unsigned v4_bits = 32;
constexpr std::array<std::uint8_t, 12> v4_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

IpAddress mapped(const in_addr& v4) noexcept {
  IpAddress address;
  std::copy(v4_prefix.begin(), v4_prefix.end(), address.bytes.begin());
  std::memcpy(address.bytes.data() + v4_prefix.size(), &v4, sizeof v4);
  return address;
}

/// The address with zeros behind its first bits.
IpAddress cut(IpAddress address, unsigned bits) noexcept {
  for (unsigned i = 0; i < address.bytes.size(); ++i) {
    const unsigned kept = std::clamp(static_cast<int>(bits) - static_cast<int>(8 * i), 0, 8);
    address.bytes[i] &= static_cast<std::uint8_t>(0xFF00U >> kept);
  }
  return address;
}

}  // namespace

bool IpAddress::is_v4() const noexcept {
  return std::equal(v4_prefix.begin(), v4_prefix.end(), bytes.begin());
}

bool IpAddress::is_loopback() const noexcept {
  if (is_v4()) return bytes[12] == 127;  // RFC 1122, section 3.2.1.3
  return *this == IpAddress{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
}

bool IpNetwork::holds(const IpAddress& address) const noexcept {
  return address.is_v4() == first.is_v4() && cut(address, prefix_bits) == first;
}

std::string to_string(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const auto* bytes = address.bytes.data();
  if (address.is_v4()) {
    ::inet_ntop(AF_INET, bytes + v4_prefix.size(), text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, bytes, text.data(), text.size());
  }
  return text.data();
}

IpAddress ip_address_of(const sockaddr_storage& address) noexcept {
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return mapped(v4.sin_addr);
  }
  IpAddress its;
  if (address.ss_family != AF_INET6) return its;
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address, sizeof v6);
  std::copy_n(v6.sin6_addr.s6_addr, its.bytes.size(), its.bytes.begin());
  return its;
}

std::optional<IpAddress> parse_ip_address(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> ended{};  // the longest text, and the zero that inet_pton wants
  if (text.size() >= ended.size() || text.find('\0') != text.npos) return std::nullopt;
  std::copy(text.begin(), text.end(), ended.begin());
  in_addr v4{};
  if (::inet_pton(AF_INET, ended.data(), &v4) == 1) return mapped(v4);
  IpAddress v6;
  if (::inet_pton(AF_INET6, ended.data(), v6.bytes.data()) == 1) return v6;
  return std::nullopt;
}

std::optional<IpNetwork> parse_ip_network(std::string_view text) noexcept {
  const auto slash = text.find('/');
  const auto first = parse_ip_address(text.substr(0, slash));
  if (!first) return std::nullopt;
  if (slash == text.npos) return IpNetwork{*first};
  const auto digits = text.substr(slash + 1);
  const bool written_as_v4 = text.find(':') == text.npos;
  unsigned bits = 0;
  if (!all_digits(digits) || digits.size() > 3) return std::nullopt;
  std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (bits > (written_as_v4 ? v4_bits : all_bits)) return std::nullopt;
  const IpNetwork network{*first, written_as_v4 ? bits + all_bits - v4_bits : bits};
  if (cut(*first, network.prefix_bits) != *first) return std::nullopt;
  return network;
}

IpAddress client_part(IpAddress address) noexcept {
  return address.is_v4() ? address : cut(address, 64);
}

}  // namespace tracker::domain
