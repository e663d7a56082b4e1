#include "support/wrong_envoy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string_view>

namespace tracker::tests {
namespace {

// The hit that is affected by the fault.
constexpr int faulty_hit = 50;

std::string answer_of(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

std::string between(const std::string& text, std::string_view begin, std::string_view end) {
  const auto at = text.find(begin);
  if (at == std::string::npos) return {};
  const auto from = at + begin.size();
  return text.substr(from, text.find(end, from) - from);
}

}  // namespace

WrongEnvoy::WrongEnvoy(Fault fault) : fault_(fault) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
      ::listen(listener_, 128) != 0) {
    throw std::runtime_error("no listener");
  }
  door_ = {"127.0.0.1", ntohs(address.sin_port)};
  acceptor_ = std::thread([this] { accept_all(); });
}

WrongEnvoy::~WrongEnvoy() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : connections_) ::shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& client : clients_) client.join();
  for (const int fd : connections_) ::close(fd);
}

void WrongEnvoy::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    connections_.push_back(fd);
    clients_.emplace_back([this, fd] { serve(fd); });
  }
}

void WrongEnvoy::serve(int fd) {
  constexpr std::string_view head_end = "\r\n\r\n";
  std::string received;
  std::array<char, 4096> buffer;
  for (;;) {
    const auto size = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (size <= 0) return;
    received.append(buffer.data(), static_cast<std::size_t>(size));
    for (auto end = received.find(head_end); end != std::string::npos; end = received.find(head_end)) {
      const auto bytes = answer(received.substr(0, end + head_end.size()));
      received.erase(0, end + head_end.size());
      if (!bytes) {
        ::shutdown(fd, SHUT_RDWR);
        return;
      }
      if (::send(fd, bytes->data(), bytes->size(), MSG_NOSIGNAL) < 0) return;
    }
  }
}

std::optional<std::string> WrongEnvoy::answer(const std::string& head) {
  const std::lock_guard lock(mutex_);
  const std::string path = between(head, "GET ", " ");
  if (path == "/auth") {
    if (fault_ == Fault::mints_nothing) return answer_of("503 Service Unavailable", "{}");
    std::string token = "00000000-0000-4000-8000-000000000000";
    token.back() = static_cast<char>('0' + ++tokens_);
    return answer_of("200 OK", "{\"token\":\"" + token + "\"}");
  }
  constexpr std::string_view bearer = "Bearer ";
  std::string token = between(head, "Authorization: ", "\r\n");
  if (fault_ != Fault::knows_no_bearer && token.starts_with(bearer)) token.erase(0, bearer.size());
  const bool valid = token.size() == 36;
  if (!valid && fault_ != Fault::counts_invalid_tokens) return answer_of("401 Unauthorized", "{}");
  return answer_count(token + path);
}

std::optional<std::string> WrongEnvoy::answer_count(const std::string& key) {
  ++hits_;
  if (hits_ == faulty_hit) {
    if (fault_ == Fault::refuses_one) return answer_of("503 Service Unavailable", "{}");
    if (fault_ == Fault::drops_one) return std::nullopt;
    if (fault_ == Fault::skips_a_count) ++counts_[key];
    if (fault_ == Fault::gives_a_count_twice && counts_[key] > 0) --counts_[key];
  }
  std::int64_t& count = counts_[key];
  // 110 of the 400 requests are the second token's. The next request for it is the judge's last reading.
  if (fault_ == Fault::loses_the_last_count && count == 110) --count;
  return answer_of("200 OK", "{\"count\":" + std::to_string(++count) + "}");
}

}  // namespace tracker::tests
