#ifndef TRACKER_TESTS_SUPPORT_ENDPOINT_H_
#define TRACKER_TESTS_SUPPORT_ENDPOINT_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace tracker::tests {

struct Endpoint {
  std::string host;  // numeric, without brackets
  std::uint16_t port = 0;

  // Reads `127.0.0.1:80` or `[::1]:80`; throws std::invalid_argument for anything else.
  static Endpoint parse(std::string_view text);

  std::string to_string() const;
};

// A port of 127.0.0.1 that was free a moment ago, and whose neighbour `gap` above was free too.
std::uint16_t free_port(std::uint16_t gap = 0);

// A port of 127.0.0.1 that was free a moment ago and that the system gives to nobody who does not ask for it:
// a service can go and come back on it, and whoever tries to reach it meanwhile cannot be given it as its
// own.
std::uint16_t lasting_port();

// Whether this machine can listen on ::1.
bool has_ipv6_loopback();

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_ENDPOINT_H_
