#include "support/raw_client.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace tracker::tests {
namespace {

[[noreturn]] void throw_errno(const char* call, int error = errno) {
  throw std::system_error(error, std::generic_category(), call);
}

void set_option(int fd, int level, int name, int value) {
  if (::setsockopt(fd, level, name, &value, sizeof value) != 0) throw_errno("setsockopt");
}

}  // namespace

RawClient::RawClient(const Endpoint& peer, int receive_buffer_bytes) {
  try {
    connect(peer, receive_buffer_bytes);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

RawClient::~RawClient() {
  if (fd_ >= 0) ::close(fd_);
}

RawClient::RawClient(RawClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      received_(std::move(other.received_)),
      taken_(other.taken_),
      end_(other.end_) {}

void RawClient::connect(const Endpoint& peer, int receive_buffer_bytes) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(peer.host.c_str(), std::to_string(peer.port).c_str(), &hints, &found) != 0) {
    throw std::runtime_error("not a numeric address: " + peer.to_string());
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(found, &::freeaddrinfo);
  fd_ = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) throw_errno("socket");
  // The size bounds the window only if it is set before connecting.
  if (receive_buffer_bytes > 0) set_option(fd_, SOL_SOCKET, SO_RCVBUF, receive_buffer_bytes);
  set_option(fd_, IPPROTO_TCP, TCP_NODELAY, 1);
  if (::connect(fd_, address->ai_addr, address->ai_addrlen) != 0) {
    if (errno != EINPROGRESS) throw_errno("connect");
    wait_for(POLLOUT, Deadline());
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) throw_errno("connect", error);
  }
}

short RawClient::wait_for(short events, const Deadline& deadline) const {
  pollfd watched{fd_, events, 0};
  for (;;) {
    const int ready = ::poll(&watched, 1, deadline.remaining_ms());
    if (ready > 0) return watched.revents;
    if (ready == 0) throw std::runtime_error("nothing came; unread: " + std::string(unread()));
    if (errno != EINTR) throw_errno("poll");
  }
}

void RawClient::receive() {
  if (unread().empty()) {
    received_.clear();
    taken_ = 0;
  }
  std::array<char, 65536> buffer;
  const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (size > 0) {
    received_.append(buffer.data(), static_cast<std::size_t>(size));
  } else if (size == 0) {
    end_ = End::closed;
  } else if (errno != EAGAIN && errno != EINTR) {
    end_ = End::reset;
  }
}

bool RawClient::send(std::string_view bytes) {
  const Deadline deadline;
  while (!bytes.empty()) {
    const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return false;
    } else if (errno != EAGAIN && errno != EINTR) {
      throw_errno("send");
    } else {
      // Reads while it cannot write. Otherwise two sides that only write would wait for each other.
      const short wanted = end_ == End::none ? POLLOUT | POLLIN : POLLOUT;
      if (wait_for(wanted, deadline) & POLLIN) receive();
    }
  }
  return true;
}

bool RawClient::send_byte_by_byte(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (!send(bytes.substr(i, 1))) return false;
  }
  return true;
}

std::optional<std::size_t> RawClient::send_some(std::string_view bytes, std::chrono::milliseconds within) {
  pollfd watched{fd_, POLLOUT, 0};
  if (::poll(&watched, 1, static_cast<int>(within.count())) <= 0) return 0;
  const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (size >= 0) return static_cast<std::size_t>(size);
  if (errno == EAGAIN || errno == EINTR) return 0;
  return std::nullopt;
}

void RawClient::half_close() {
  ::shutdown(fd_, SHUT_WR);
}

void RawClient::abort() {
  const linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(std::exchange(fd_, -1));
}

HttpAnswer RawClient::read_answer(AnswerTo asked) {
  auto answer = read_answer_or_end(asked);
  if (!answer) {
    throw std::runtime_error(end_ == End::reset ? "reset instead of an answer"
                                                : "closed instead of an answer");
  }
  return *std::move(answer);
}

std::optional<HttpAnswer> RawClient::read_answer_or_end(AnswerTo asked) {
  const Deadline deadline;
  for (;;) {
    if (!unread().empty()) {
      if (auto answer = take_answer(unread(), asked, taken_)) return answer;
    }
    if (end_ != End::none) break;
    wait_for(POLLIN, deadline);
    receive();
  }
  if (!unread().empty()) throw std::runtime_error("ended within an answer: " + std::string(unread()));
  return std::nullopt;
}

RawClient::End RawClient::read_to_end() {
  const Deadline deadline;
  while (end_ == End::none) {
    wait_for(POLLIN, deadline);
    receive();
  }
  return end_;
}

bool RawClient::readable(std::chrono::milliseconds within) {
  if (!unread().empty() || end_ != End::none) return true;
  pollfd watched{fd_, POLLIN, 0};
  return ::poll(&watched, 1, static_cast<int>(within.count())) > 0;
}

bool RawClient::receive_more(std::chrono::milliseconds within) {
  pollfd watched{fd_, POLLIN, 0};
  if (end_ != End::none || ::poll(&watched, 1, static_cast<int>(within.count())) <= 0) return false;
  const std::size_t before = unread().size();
  receive();
  return unread().size() > before;
}

bool RawClient::broken(std::chrono::milliseconds within) const {
  pollfd watched{fd_, 0, 0};
  return ::poll(&watched, 1, static_cast<int>(within.count())) > 0;
}

}  // namespace tracker::tests
