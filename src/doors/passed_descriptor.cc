#include "doors/passed_descriptor.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace tracker::doors {

namespace {
constexpr std::size_t bytes_at_once = 4096;
/// Room for one descriptor: the kernel closes any others.
using Room = std::array<char, CMSG_SPACE(sizeof(int))>;
}  // namespace

bool send_with_descriptor(int socket, const std::string& message, int descriptor) noexcept {
  alignas(cmsghdr) Room room{};
  msghdr header{};
  header.msg_control = room.data();
  header.msg_controllen = room.size();
  auto* with = CMSG_FIRSTHDR(&header);
  with->cmsg_level = SOL_SOCKET;
  with->cmsg_type = SCM_RIGHTS;
  with->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(with), &descriptor, sizeof descriptor);
  for (std::size_t sent = 0; sent < message.size();) {
    iovec rest{const_cast<char*>(message.data()) + sent, message.size() - sent};
    header.msg_iov = &rest;
    header.msg_iovlen = 1;
    const auto bytes = ::sendmsg(socket, &header, MSG_NOSIGNAL);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return false;
    sent += static_cast<std::size_t>(bytes);
    header.msg_control = nullptr;  // it went with the first bytes
    header.msg_controllen = 0;
  }
  return true;
}

runtime::Descriptor receive_descriptor(int socket, boost::beast::flat_buffer& buffer) {
  alignas(cmsghdr) Room room{};
  const auto place = buffer.prepare(bytes_at_once);
  iovec bytes{place.data(), place.size()};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = room.data();
  header.msg_controllen = room.size();
  const auto received = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  buffer.commit(static_cast<std::size_t>(std::max<ssize_t>(received, 0)));
  if (received < 0) return runtime::Descriptor(-1);
  int descriptor = -1;
  const auto* with = CMSG_FIRSTHDR(&header);
  if (with != nullptr && with->cmsg_level == SOL_SOCKET && with->cmsg_type == SCM_RIGHTS) {
    std::memcpy(&descriptor, CMSG_DATA(with), sizeof descriptor);
  }
  return runtime::Descriptor(descriptor);
}

}  // namespace tracker::doors
