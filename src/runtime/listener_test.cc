#include "runtime/listener.h"

#include <gtest/gtest.h>

#include <set>

namespace tracker::runtime {

using boost::asio::ip::tcp;

class ListenerTest : public testing::Test {
 protected:
  bool has_ipv6() {
    try {
      return !listen(first_, {"::1", 0}).empty();
    } catch (const boost::system::system_error&) {
      return false;
    }
  }

  boost::asio::io_context first_{1};
  boost::asio::io_context second_{1};
  const Address any_port_{"127.0.0.1", 0};
};

TEST_F(ListenerTest, ConnectionsAreSharedAmongTheListenersOfOneProgram) {
  auto acceptors = listen_shared({&first_, &second_}, any_port_);
  ASSERT_EQ(acceptors.size(), 2U);
  ASSERT_EQ(endpoints_of(acceptors[0]), endpoints_of(acceptors[1]));
  const auto endpoint = endpoints_of(acceptors[0]).at(0);

  constexpr int connections = 200;
  std::vector<Socket> clients;
  for (int i = 0; i < connections; ++i) {
    clients.emplace_back(first_.get_executor()).connect(endpoint);
  }
  int accepted = 0;
  std::set<std::size_t> used;
  for (std::size_t i = 0; i < 2; ++i) {
    boost::system::error_code error;
    for (;;) {
      Socket socket(first_.get_executor());
      acceptors[i][0].accept(socket, error);
      if (error) break;
      ++accepted;
      used.insert(i);
    }
    EXPECT_EQ(error, boost::asio::error::would_block);
  }
  EXPECT_EQ(accepted, connections);
  EXPECT_EQ(used.size(), 2U);
}

TEST_F(ListenerTest, AnotherProgramCannotShareThePort) {
  const auto acceptors = listen_shared({&first_, &second_}, any_port_);
  const Address taken{"127.0.0.1", endpoints_of(acceptors[0]).at(0).port()};
  for (const auto& contexts : {std::vector{&first_, &second_}, std::vector{&first_}}) {
    try {
      listen_shared(contexts, taken);
      FAIL() << "the port was shared";
    } catch (const boost::system::system_error& error) {
      EXPECT_EQ(error.code(), boost::asio::error::address_in_use);
    }
  }
}

TEST_F(ListenerTest, EveryAddressOfTheMachineIncludesIpv4) {
  const auto acceptors = listen(first_, Address{"", 0});
  Socket client(first_.get_executor());
  client.connect({boost::asio::ip::address_v4::loopback(), endpoints_of(acceptors).at(0).port()});
  EXPECT_TRUE(client.is_open());
}

TEST_F(ListenerTest, LocalhostIsAllItsAddressesOnOnePort) {
  for (const auto* host : {"localhost", "LocalHost"}) {
    const auto acceptors = listen_shared({&first_, &second_}, Address{host, 0});
    const auto endpoints = endpoints_of(acceptors[0]);
    EXPECT_EQ(endpoints_of(acceptors[1]), endpoints);
    ASSERT_EQ(endpoints.size(), has_ipv6() ? 2U : 1U);
    EXPECT_EQ(endpoints.front().address(), boost::asio::ip::address_v4::loopback());
    EXPECT_TRUE(endpoints.back().address().is_v6() || !has_ipv6());
    EXPECT_EQ(endpoints.front().port(), endpoints.back().port());
    EXPECT_NE(endpoints.front().port(), 0);
    for (const auto& endpoint : endpoints) Socket(first_.get_executor()).connect(endpoint);
  }
}

TEST_F(ListenerTest, APortThatIsInUseOnOneAddressOfLocalhostIsInUse) {
  if (!has_ipv6()) GTEST_SKIP() << "this machine has no ::1";
  const auto taken = listen(first_, {"::1", 0});
  try {
    listen(first_, {"localhost", endpoints_of(taken).at(0).port()});
    FAIL() << "one of two addresses was taken for enough";
  } catch (const boost::system::system_error& error) {
    EXPECT_EQ(error.code(), boost::asio::error::address_in_use);
  }
}

TEST_F(ListenerTest, Ipv6ThatIsSwitchedOffIsLeftOut) {
  const Endpoint v4(boost::asio::ip::make_address("127.0.0.1"), 1);
  const Endpoint v6(boost::asio::ip::make_address("::1"), 1);
  const auto all = [](const Endpoint&) { return true; };
  const auto none = [](const Endpoint&) { return false; };
  const auto only_v4 = [&](const Endpoint& endpoint) { return endpoint == v4; };
  using Endpoints = std::vector<Endpoint>;
  EXPECT_EQ(without_unusable_ipv6({v4, v6}, all), (Endpoints{v4, v6}));
  EXPECT_EQ(without_unusable_ipv6({v4, v6}, only_v4), Endpoints{v4});
  EXPECT_EQ(without_unusable_ipv6({v6, v4}, only_v4), Endpoints{v4});
  // To listen on these is tried, and that error says what is wrong.
  EXPECT_EQ(without_unusable_ipv6({v4, v6}, none), Endpoints{v4});
  EXPECT_EQ(without_unusable_ipv6({v6}, none), Endpoints{v6});
}

}  // namespace tracker::runtime
