#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "domain/ip_address.h"

namespace tracker::envoy {

/// The header by which a proxy says, before everything else, whose connection it passes on: the PROXY protocol, version 2
/// (haproxy's proxy-protocol.txt, section 2.2).
struct ProxyHeader {
  enum class Kind : std::uint8_t {
    incomplete,
    malformed,  // it is something else, or too long
    own,        // LOCAL: the connection is the proxy's own, such as a health check
    client,     // it has the client's address
    no_client,  // it passes on a connection whose client has no IP address
  };
  Kind kind = Kind::incomplete;
  std::size_t size = 0;        // in bytes, unless it is incomplete or malformed
  domain::IpAddress client{};  // of `client`
};

/// Reads the header at the beginning of `input`, as soon as it can be judged. Skips what it says besides (TLVs). Pure; any
/// thread.
ProxyHeader parse_proxy_header(std::string_view input, std::size_t bytes_max);

}  // namespace tracker::envoy
