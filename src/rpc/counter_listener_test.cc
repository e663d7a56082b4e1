#include "rpc/counter_listener.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/write.hpp>
#include <functional>
#include <optional>
#include <string_view>

#include "rpc/http2_connection.h"
#include "runtime/deadlines.h"

namespace tracker::rpc {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

int option_of(runtime::Socket& socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(socket.native_handle(), level, name, &value, &size), 0);
  return value;
}

class CounterListenerTest : public testing::Test {
 protected:
  CounterListenerTest() { client_.connect(listener_.endpoints().at(0)); }

  void send(std::string_view bytes) { boost::asio::write(client_, boost::asio::buffer(bytes)); }

  bool runs_until(const std::function<bool()>& condition) {
    const auto deadline = runtime::Clock::now() + 10s;
    while (!condition() && runtime::Clock::now() < deadline) loop_.run_one_until(deadline);
    return condition();
  }

  static constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  static constexpr std::string_view tracker_settings{"\0\0\6\4\0\0\0\0\0\xF7\x54\0\0\0\1", 15};

  boost::asio::io_context loop_{1};
  std::optional<runtime::Socket> envoy_;
  std::optional<runtime::Socket> other_;
  CounterListener listener_{loop_,
                            {"127.0.0.1", 0},
                            3,
                            [this](runtime::Socket socket) { envoy_ = std::move(socket); },
                            [this](runtime::Socket socket) { other_ = std::move(socket); }};
  runtime::Socket client_{loop_.get_executor()};
};

TEST_F(CounterListenerTest, FirstBytesMayComeOneByOne) {
  for (const char byte : std::string(preface) + std::string(tracker_settings)) {
    send({&byte, 1});
    loop_.poll();
  }
  ASSERT_TRUE(runs_until([this] { return envoy_.has_value(); }));
  EXPECT_EQ(option_of(*envoy_, SOL_SOCKET, SO_RCVLOWAT), 1) << "what comes next may be short, too";
}

TEST_F(CounterListenerTest, WhoIsNoEnvoyIsKnownByItsFirstOtherByte) {
  send("PRI");
  loop_.run_for(10ms);
  send("X");
  ASSERT_TRUE(runs_until([this] { return other_.has_value(); }));
  EXPECT_EQ(option_of(*other_, SOL_SOCKET, SO_RCVLOWAT), 1);
}

// Such as gRPC for Go, which then waits for the server's settings.
TEST_F(CounterListenerTest, AClientThatSendsNoSettingsIsNoEnvoyAndNeedSendNoMore) {
  send(preface);
  send(std::string_view("\0\0\0\4\0\0\0\0\0", 9));
  EXPECT_TRUE(runs_until([this] { return other_.has_value(); }));
}

TEST_F(CounterListenerTest, AClientThatStopsWithinItsFirstBytesCostsNothing) {
  send(preface.substr(0, 10));
  EXPECT_LE(loop_.run_for(300ms), 10U) << "it is accepted and looked at, and then waited for";
}

TEST_F(CounterListenerTest, AClientThatEndsWithinItsFirstBytesIsDropped) {
  send(preface.substr(0, 10));
  client_.shutdown(runtime::Socket::shutdown_send);
  bool dropped = false;
  client_.async_wait(runtime::Socket::wait_read, [&](boost::system::error_code) { dropped = true; });
  EXPECT_TRUE(runs_until([&] { return dropped; }));
}

// Otherwise the connection of an envoy whose machine vanished would stay for ever.
TEST_F(CounterListenerTest, ConnectionsAreKeptAlive) {
  send(preface);
  send(tracker_settings);
  ASSERT_TRUE(runs_until([this] { return envoy_.has_value(); }));
  EXPECT_EQ(option_of(*envoy_, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option_of(*envoy_, IPPROTO_TCP, TCP_KEEPIDLE), 30);
  EXPECT_EQ(option_of(*envoy_, IPPROTO_TCP, TCP_KEEPINTVL), 10);
  EXPECT_EQ(option_of(*envoy_, IPPROTO_TCP, TCP_KEEPCNT), 3);
  EXPECT_EQ(option_of(*envoy_, IPPROTO_TCP, TCP_USER_TIMEOUT), 60'000);
}

}  // namespace tracker::rpc
