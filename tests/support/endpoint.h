#ifndef TRACKER_TESTS_SUPPORT_ENDPOINT_H_
#define TRACKER_TESTS_SUPPORT_ENDPOINT_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace tracker::tests {

struct Endpoint {
  std::string host;  // numeric, without brackets
  std::uint16_t port = 0;

  // Reads `127.0.0.1:80` or `[::1]:80`. Throws std::invalid_argument for anything else.
  static Endpoint parse(std::string_view text);

  std::string to_string() const;
};

// Returns a port of 127.0.0.1 that was free a moment ago. The port `gap` above it was free, too.
std::uint16_t free_port(std::uint16_t gap = 0);

// Returns a port of 127.0.0.1 that was free a moment ago. The system gives it only to those who ask for it, and no other test
// gets it while this process runs. So a service can stop and start again on it, and a client that tries to reach it
// meanwhile cannot get it as its own port.
std::uint16_t lasting_port();

// Returns whether this machine can listen on ::1.
bool has_ipv6_loopback();

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_SUPPORT_ENDPOINT_H_
