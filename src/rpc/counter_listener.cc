#include "rpc/counter_listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>

#include "rpc/http2_session.h"
#include "runtime/deadlines.h"

namespace tracker::rpc {

namespace {
using Executor = boost::asio::io_context::executor_type;
constexpr auto token = boost::asio::as_tuple(boost::asio::use_awaitable_t<Executor>());
using Timer =
    boost::asio::basic_waitable_timer<runtime::Clock, boost::asio::wait_traits<runtime::Clock>, Executor>;

constexpr auto accept_pause = std::chrono::milliseconds(100);
constexpr auto first_bytes_deadline = std::chrono::seconds(10);

/// A peer whose machine or network vanished is noticed after a minute, whether something was under way to it
/// or not.
constexpr int keep_alive_idle_s = 30;
constexpr int keep_alive_pause_s = 10;
constexpr int keep_alive_probes = 3;
constexpr int not_acknowledged_ms = 60'000;
template <int name>
using TcpOption = boost::asio::detail::socket_option::integer<IPPROTO_TCP, name>;

/// A coroutine that fails (out of memory) ends the program: it must not go on without it.
constexpr auto throw_on = [](std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
};
}  // namespace

CounterListener::CounterListener(boost::asio::io_context& loop, const runtime::Address& address,
                                 std::size_t unsorted_max, Take take_envoy, Take take_other)
    : acceptors_(runtime::listen(loop, address)),
      take_envoy_(std::move(take_envoy)),
      take_other_(std::move(take_other)),
      unsorted_max_(unsorted_max) {
  for (auto& acceptor : acceptors_) {
    // Its connections inherit these.
    acceptor.set_option(boost::asio::socket_base::keep_alive(true));
    acceptor.set_option(TcpOption<TCP_KEEPIDLE>(keep_alive_idle_s));
    acceptor.set_option(TcpOption<TCP_KEEPINTVL>(keep_alive_pause_s));
    acceptor.set_option(TcpOption<TCP_KEEPCNT>(keep_alive_probes));
    acceptor.set_option(TcpOption<TCP_USER_TIMEOUT>(not_acknowledged_ms));
    boost::asio::co_spawn(loop.get_executor(), accept(acceptor), throw_on);
  }
}

void CounterListener::close() {
  open_ = false;
  boost::system::error_code ignored;
  for (auto& acceptor : acceptors_) acceptor.close(ignored);
}

auto CounterListener::accept(runtime::Acceptor& acceptor) -> Awaitable<void> {
  Timer pause(acceptor.get_executor());
  while (open_) {
    auto [error, socket] = co_await acceptor.async_accept(token);
    if (!error) {
      if (unsorted_.size() >= unsorted_max_) make_way();
      unsorted_.push_back(std::make_shared<runtime::Socket>(std::move(socket)));
      boost::asio::co_spawn(acceptor.get_executor(), sort(unsorted_.back()), throw_on);
    } else if (open_) {  // out of descriptors or memory: others must end first
      pause.expires_after(accept_pause);
      co_await pause.async_wait(token);
    }
  }
}

/// Tracker's own envoys send their first bytes at once.
void CounterListener::make_way() {
  unsorted_log_.met(runtime::Clock::now(),
                    "there are " + std::to_string(unsorted_max_) +
                        " connections to the counter's port that have not sent their first "
                        "bytes: the oldest of them are closed");
  boost::system::error_code ignored;
  unsorted_.front()->close(ignored);
  unsorted_.pop_front();
}

auto CounterListener::sort(std::shared_ptr<runtime::Socket> socket) -> Awaitable<void> {
  const auto is_envoys = co_await whose(socket);
  unsorted_.remove(socket);
  if (!is_envoys) co_return;
  using LowWater = boost::asio::socket_base::receive_low_watermark;
  boost::system::error_code ignored;
  socket->set_option(LowWater(1), ignored);
  (*is_envoys ? take_envoy_ : take_other_)(std::move(*socket));
}

/// Looks at its first bytes, and leaves them where they are. Answers whether it is an envoy's; nothing if that is not known
/// in time.
auto CounterListener::whose(std::shared_ptr<runtime::Socket> socket) -> Awaitable<std::optional<bool>> {
  using LowWater = boost::asio::socket_base::receive_low_watermark;
  boost::system::error_code ignored;
  const auto deadline = runtime::Clock::now() + first_bytes_deadline;
  Timer timer(socket->get_executor());
  timer.expires_at(deadline);
  timer.async_wait([socket](boost::system::error_code error) {
    boost::system::error_code not_waiting;
    if (!error) socket->cancel(not_waiting);
  });
  std::array<char, 64> bytes{};
  ssize_t seen = 0;
  while (open_) {
    const auto [error] = co_await socket->async_wait(runtime::Socket::wait_read, token);
    if (error || runtime::Clock::now() >= deadline) co_return std::nullopt;
    const auto size = ::recv(socket->native_handle(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    if (size <= seen) co_return std::nullopt;  // nothing more comes
    seen = size;
    if (const auto from_tracker = is_from_tracker({bytes.data(), static_cast<std::size_t>(size)}))
      co_return from_tracker;
    // What was seen is still there: only with more than that is it readable again.
    socket->set_option(LowWater(static_cast<int>(seen) + 1), ignored);
  }
  co_return std::nullopt;
}

}  // namespace tracker::rpc
