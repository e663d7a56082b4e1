#include "runtime/ready_set.h"

#include <sys/epoll.h>

#include <array>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <utility>

namespace tracker::runtime {

namespace {
[[noreturn]] void throw_system_error() {
  throw boost::system::system_error(errno, boost::system::system_category());
}

int make_set() {
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) throw_system_error();
  return set;
}
}  // namespace

ReadySet::ReadySet(boost::asio::io_context& context, std::function<void()> on_some_ready)
    : on_some_ready_(std::move(on_some_ready)), set_(context.get_executor(), make_set()) {
  wait();
}

void ReadySet::add(int descriptor, Pollable& pollable) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &pollable;
  if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, descriptor, &event) != 0) throw_system_error();
}

void ReadySet::wait() {
  set_.async_wait(boost::asio::posix::descriptor_base::wait_read, [this](boost::system::error_code error) {
    if (error) return;
    on_some_ready_();
    wait();
  });
}

std::size_t ReadySet::tell() {
  std::array<epoll_event, 128> events;
  const int size = ::epoll_wait(set_.native_handle(), events.data(), events.size(), 0);
  for (int i = 0; i < size; ++i) {
    const auto& [flags, data] = events[static_cast<std::size_t>(i)];
    constexpr unsigned ended = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    static_cast<Pollable*>(data.ptr)->on_ready({.readable = (flags & (EPOLLIN | ended)) != 0,
                                                .writable = (flags & (EPOLLOUT | ended)) != 0,
                                                .hung_up = (flags & ended) != 0,
                                                .broken = (flags & EPOLLERR) != 0});
  }
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

}  // namespace tracker::runtime
