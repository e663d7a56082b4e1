#include "support/faulty_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string_view>

namespace tracker::tests {
namespace {

// How often it checks for new orders. Nobody waits for it.
constexpr int look_ms = 2;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void close_with_reset(int fd) {
  const linger at_once{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(fd);
}

bool send_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto taken = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (taken <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(taken));
  }
  return true;
}

bool readable(int fd) {
  pollfd watched{fd, POLLIN, 0};
  return ::poll(&watched, 1, 0) > 0;
}

}  // namespace

FaultyLink::FaultyLink(const Endpoint& server, Clients clients) : port_(server.port), clients_(clients) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
      ::listen(listener_, 128) != 0) {
    throw std::runtime_error("no listener");
  }
  door_ = {"127.0.0.1", ntohs(address.sin_port)};
  thread_ = std::thread([this] { run(); });
}

FaultyLink::~FaultyLink() {
  stopping_ = true;
  thread_.join();
  cut();
  ::close(listener_);
}

void FaultyLink::cut() {
  const std::lock_guard lock(mutex_);
  for (const Pair& pair : pairs_) {
    close_with_reset(pair.client);
    close_with_reset(pair.server);
  }
  pairs_.clear();
}

void FaultyLink::run() {
  while (!stopping_) {
    std::vector<pollfd> watched{{listener_, POLLIN, 0}};
    {
      const std::lock_guard lock(mutex_);
      for (const Pair& pair : pairs_) {
        if (!holds_requests_) watched.push_back({pair.client, POLLIN, 0});
        if (!holds_answers_) watched.push_back({pair.server, POLLIN, 0});
      }
    }
    ::poll(watched.data(), watched.size(), look_ms);
    const std::lock_guard lock(mutex_);
    if (readable(listener_)) accept_one();
    for (Pair& pair : pairs_) forward(pair);
    std::erase_if(pairs_, [](const Pair& pair) {
      if (!pair.broken) return false;
      ::close(pair.client);
      ::close(pair.server);
      return true;
    });
  }
}

void FaultyLink::accept_one() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port_);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close_with_reset(client);
    ::close(server);
    return;
  }
  const int on = 1;
  for (const int fd : {client, server}) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  pairs_.push_back({client, server});
  ++accepted_;
}

void FaultyLink::forward(Pair& pair) {
  if (!holds_requests_ && readable(pair.client)) {
    const bool beginning = clients_ == Clients::look_like_envoys && !pair.changed;
    if (!(beginning ? copy_beginning(pair) : copy(pair.client, pair.server))) pair.broken = true;
  }
  if (!holds_answers_ && readable(pair.server) && !copy(pair.server, pair.client)) pair.broken = true;
}

bool FaultyLink::copy(int from, int to) {
  std::array<char, 65536> buffer;
  const auto size = ::recv(from, buffer.data(), buffer.size(), 0);
  if (size <= 0) return size < 0 && errno == EINTR;
  return send_all(to, {buffer.data(), static_cast<std::size_t>(size)});
}

// A client begins with a preface of 24 bytes and a SETTINGS frame: 3 bytes of length, 6 more of frame header, and
// settings of 6 bytes (RFC 9113, sections 3.4 and 6.5).
bool FaultyLink::copy_beginning(Pair& pair) {
  constexpr std::size_t length_end = 27;
  constexpr std::size_t head_end = 33;
  constexpr std::string_view setting("\xF7\x54\0\0\0\1", 6);
  std::array<char, 65536> buffer;
  const auto size = ::recv(pair.client, buffer.data(), buffer.size(), 0);
  if (size <= 0) return size < 0 && errno == EINTR;
  pair.beginning.append(buffer.data(), static_cast<std::size_t>(size));
  if (pair.beginning.size() < head_end) return true;
  pair.beginning[length_end - 1] = static_cast<char>(pair.beginning[length_end - 1] + 6);
  pair.beginning.insert(head_end, setting);
  pair.changed = true;
  return send_all(pair.server, pair.beginning);
}

}  // namespace tracker::tests
