// floor PORT: the least work that a counting HTTP server can do. bench/compare measures tracker against it. It is one
// epoll loop that trusts its client, keeps its counts in one hash map, and answers with the same bytes as tracker.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

std::unordered_map<std::string, std::int64_t> counts;  // by token and path
std::unordered_map<int, std::string> unfinished;       // by connection: the start of a head
std::string answer_head;                               // up to the length; rebuilt every second
std::string key;                                       // of the current request

void set_time(std::time_t now) {
  static std::time_t time = 0;
  if (now == time) return;
  time = now;
  std::array<char, 64> date{};
  std::tm utc{};
  std::strftime(date.data(), date.size(), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
  answer_head = std::string("HTTP/1.1 200 OK\r\nDate: ") + date.data() +
                "\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: ";
}

void answer(std::string_view head, std::string& out) {
  constexpr std::string_view field = "\r\nAuthorization: ";
  const std::size_t path = head.find(' ') + 1;
  const std::size_t token = head.find(field);
  key.assign(head, token == head.npos ? head.size() : token + field.size(), 36);
  key.append(head, path, head.find(' ', path) - path);
  const std::string count = std::to_string(++counts[key]);
  out += answer_head;
  out += std::to_string(count.size() + 10);
  out += "\r\n\r\n{\"count\":";
  out += count;
  out += '}';
}

/// Returns false if the connection has ended.
bool serve(int connection) {
  static std::array<char, 65536> input;
  static std::string out;
  const ssize_t size = recv(connection, input.data(), input.size(), 0);
  if (size <= 0) return false;
  std::string_view bytes(input.data(), static_cast<std::size_t>(size));
  std::string joined;
  if (const auto start = unfinished.find(connection); start != unfinished.end()) {
    joined = start->second.append(bytes);
    unfinished.erase(start);
    bytes = joined;
  }
  out.clear();
  for (std::size_t end = 0; (end = bytes.find("\r\n\r\n")) != bytes.npos; bytes.remove_prefix(end + 4)) {
    answer(bytes.substr(0, end), out);
  }
  if (!bytes.empty()) unfinished.emplace(connection, bytes);
  for (std::string_view rest = out; !rest.empty();) {
    const ssize_t sent = send(connection, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
    pollfd writable{connection, POLLOUT, 0};
    if (sent < 0 && (errno != EAGAIN || poll(&writable, 1, 10'000) != 1)) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(argc == 2 ? std::atoi(argv[1]) : 0));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 1;
  if (listen(listener, 4096) != 0) return 1;
  const int loop = epoll_create1(0);
  epoll_event wanted{EPOLLIN, {.fd = listener}};
  epoll_ctl(loop, EPOLL_CTL_ADD, listener, &wanted);
  for (std::array<epoll_event, 512> events;;) {
    const int ready = epoll_wait(loop, events.data(), events.size(), -1);
    set_time(std::time(nullptr));
    for (int i = 0; i < ready; ++i) {
      const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
      if (descriptor == listener) {
        wanted.data.fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        setsockopt(wanted.data.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_ctl(loop, EPOLL_CTL_ADD, wanted.data.fd, &wanted);
      } else if (!serve(descriptor)) {
        unfinished.erase(descriptor);
        close(descriptor);
      }
    }
  }
}
