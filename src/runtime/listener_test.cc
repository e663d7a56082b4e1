#include "runtime/listener.h"

#include <gtest/gtest.h>

#include <set>

namespace tracker::runtime {

using boost::asio::ip::tcp;

class ListenerTest : public testing::Test {
 protected:
  boost::asio::io_context first_{1};
  boost::asio::io_context second_{1};
  const Address any_port_{"127.0.0.1", 0};
};

TEST_F(ListenerTest, ConnectionsAreSharedAmongTheListenersOfOneProgram) {
  auto acceptors = listen_shared({&first_, &second_}, any_port_);
  ASSERT_EQ(acceptors.size(), 2U);
  EXPECT_EQ(acceptors[0].local_endpoint(), acceptors[1].local_endpoint());

  constexpr int connections = 200;
  std::vector<Socket> clients;
  for (int i = 0; i < connections; ++i) {
    clients.emplace_back(first_.get_executor()).connect(acceptors[0].local_endpoint());
  }
  int accepted = 0;
  std::set<std::size_t> used;
  for (std::size_t i = 0; i < 2; ++i) {
    boost::system::error_code error;
    for (;;) {
      Socket socket(first_.get_executor());
      acceptors[i].accept(socket, error);
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
  const Address taken{"127.0.0.1", acceptors[0].local_endpoint().port()};
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
  auto acceptor = listen(first_, Address{"", 0});
  Socket client(first_.get_executor());
  client.connect({boost::asio::ip::address_v4::loopback(), acceptor.local_endpoint().port()});
  EXPECT_TRUE(client.is_open());
}

}  // namespace tracker::runtime
