#include "support/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>

namespace tracker::tests {
namespace {

// Returns the port that was bound, or 0 if it was refused.
std::uint16_t bind_and_release(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  ::close(fd);
  return bound ? ntohs(address.sin_port) : std::uint16_t{0};
}

// Returns whether this process has the port for itself among all tests, as long as it runs: it has the name of the port in the
// abstract namespace of Unix sockets, which leaves nothing behind.
bool reserve(std::uint16_t port) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto name = "tracker-tests-port-" + std::to_string(port);
  std::copy(name.begin(), name.end(), address.sun_path + 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0) return true;
  ::close(fd);
  return false;
}

}  // namespace

Endpoint Endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) throw std::invalid_argument("no port in " + std::string(text));
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  Endpoint endpoint{std::string(host), 0};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), endpoint.port);
  if (host.empty() || digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) {
    throw std::invalid_argument("not an endpoint: " + std::string(text));
  }
  return endpoint;
}

std::string Endpoint::to_string() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::uint16_t free_port(std::uint16_t gap) {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const std::uint16_t port = bind_and_release(0);
    if (port == 0 || port > 65535 - gap) continue;
    if (gap == 0 || bind_and_release(static_cast<std::uint16_t>(port + gap)) != 0) return port;
  }
  throw std::runtime_error("no free port");
}

std::uint16_t lasting_port() {
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  int first_given_out = 32768;
  range >> first_given_out;
  constexpr int lowest = 10'000;
  if (first_given_out <= lowest) return free_port();
  std::random_device random;
  std::uniform_int_distribution<int> ports(lowest, first_given_out - 1);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = bind_and_release(static_cast<std::uint16_t>(ports(random)));
    if (port != 0 && reserve(port)) return port;
  }
  throw std::runtime_error("no free port");
}

bool has_ipv6_loopback() {
  const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return bound;
}

}  // namespace tracker::tests
