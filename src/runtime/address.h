#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tracker::runtime {

/// Where to listen or whom to ask, as a person writes it: `host:port`, `[v6]:port`, or `:port`.
struct Address {
  std::string host;  // a name or a number without brackets; empty: every address of this machine
  std::uint16_t port = 0;

  bool operator==(const Address&) const = default;
};

/// Returns nothing if `text` has none of the three forms. Does not check that the host exists. Pure.
std::optional<Address> parse_address(std::string_view text);

/// `host:port`, with brackets where the host needs them.
std::string to_string(const Address& address);

}  // namespace tracker::runtime
