#include "runtime/connector.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <memory>
#include <optional>

namespace tracker::runtime {

using namespace std::chrono_literals;
using boost::asio::ip::make_address;

/// Its queue of connections is full: the kernel drops the SYN of each further one.
class Swallower {
 public:
  Swallower(boost::asio::io_context& loop, const boost::asio::ip::tcp::endpoint& endpoint)
      : acceptor_(loop.get_executor()) {
    acceptor_.open(endpoint.protocol());
    acceptor_.bind(endpoint);
    acceptor_.listen(0);
    for (auto* client : {&first_, &second_, &third_}) {
      client->emplace(loop.get_executor());
      (*client)->async_connect(acceptor_.local_endpoint(), [](boost::system::error_code) {});
    }
  }

 private:
  Acceptor acceptor_;
  std::optional<Socket> first_;
  std::optional<Socket> second_;
  std::optional<Socket> third_;
};

class ConnectorTest : public testing::Test {
 protected:
  std::uint16_t port() const { return listener_.local_endpoint().port(); }
  boost::asio::ip::tcp::endpoint beside(const char* address) const { return {make_address(address), port()}; }

  static NameLookup::LookUp finds(const std::vector<const char*>& addresses) {
    return [addresses](const std::string& /*host*/) {
      std::vector<boost::asio::ip::address> found;
      for (const char* address : addresses) found.push_back(make_address(address));
      return FoundAddresses(found);
    };
  }

  /// What one attempt comes to: "" if it is connected.
  std::string attempt(Connector& connector) {
    std::optional<std::string> outcome;
    connector.connect([&](const Connector::Outcome& connected) {
      outcome = connected ? "" : connected.error();
      if (connected) reached_ = connected->remote_endpoint().address().to_string();
    });
    EXPECT_FALSE(outcome) << "it calls back from the loop";
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!outcome && std::chrono::steady_clock::now() < deadline) loop_.run_one_until(deadline);
    return outcome.value_or("no end");
  }

  boost::asio::io_context loop_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{loop_.get_executor()};
  Acceptor listener_ = std::move(listen(loop_, {"127.0.0.3", 0}).front());
  std::string reached_;
};

TEST_F(ConnectorTest, ConnectsToANumberAndToAName) {
  Connector to_number(loop_, {"127.0.0.3", port()});
  EXPECT_EQ(attempt(to_number), "");
  EXPECT_EQ(attempt(to_number), "");
  Acceptor local = std::move(listen(loop_, {"127.0.0.1", 0}).front());
  Connector to_name(loop_, {"localhost", local.local_endpoint().port()});  // whose ::1 is dead
  EXPECT_EQ(attempt(to_name), "");
  EXPECT_EQ(reached_, "127.0.0.1");
}

TEST_F(ConnectorTest, ReachesTheAddressBehindOneThatSwallowsConnections) {
  const Swallower first(loop_, beside("127.0.0.2"));
  Connector connector(loop_, {"twins", port()}, {}, finds({"127.0.0.2", "127.0.0.3"}));
  EXPECT_EQ(attempt(connector), "");
  EXPECT_EQ(reached_, "127.0.0.3");
}

TEST_F(ConnectorTest, ReachesTheAddressBehindManyThatFailAtOnce) {
  Connector connector(loop_, {"many", port()}, {},
                      finds({"127.0.0.4", "::1", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.3"}));
  EXPECT_EQ(attempt(connector), "");
  EXPECT_EQ(reached_, "127.0.0.3");
}

TEST_F(ConnectorTest, SaysOfEachAddressWhatIsWrong) {
  const Swallower first(loop_, beside("127.0.0.2"));
  Connector connector(loop_, {"both", port()}, {.address = 100ms}, finds({"127.0.0.4", "127.0.0.2"}));
  const std::string port_text = std::to_string(port());
  EXPECT_EQ(attempt(connector), "connecting to 127.0.0.2:" + port_text +
                                    " takes longer than 100 ms; connecting to 127.0.0.4:" + port_text +
                                    ": Connection refused");
}

TEST_F(ConnectorTest, NamesNoMoreThanAFewAddresses) {
  Connector connector(
      loop_, {"many", port()}, {},
      finds({"127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8", "127.0.0.9", "127.0.0.10"}));
  EXPECT_TRUE(attempt(connector).ends_with(": Connection refused; and 3 more"));
}

TEST_F(ConnectorTest, SaysThatALookUpFailed) {
  Connector connector(loop_, {"nobody", port()}, {},
                      [](const std::string& host) { return FoundAddresses("no " + host); });
  EXPECT_EQ(attempt(connector), "looking up its name failed: no nobody");
  EXPECT_EQ(attempt(connector), "looking up its name failed: no nobody");
}

/// A look-up that takes until it is let go.
class SlowNames {
 public:
  NameLookup::LookUp look_up() {
    return [state = state_](const std::string& /*host*/) {
      ++state->begun;
      state->may_end.wait(false);
      return FoundAddresses(std::vector{make_address("127.0.0.3")});
    };
  }
  ~SlowNames() { let_go(); }
  int begun() const { return state_->begun; }
  void let_go() {
    state_->may_end = true;
    state_->may_end.notify_all();
  }

 private:
  struct State {
    std::atomic<int> begun = 0;
    std::atomic<bool> may_end = false;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

TEST_F(ConnectorTest, ALateLookUpServesTheNextAttempt) {
  SlowNames names;
  Connector connector(loop_, {"slow", port()}, {.look_up = 20ms}, names.look_up());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(attempt(connector), "looking up its name takes longer than 20 ms");
  names.let_go();
  // It may take a moment until its thread has delivered it.
  for (const auto deadline = std::chrono::steady_clock::now() + 20s;
       reached_.empty() && std::chrono::steady_clock::now() < deadline;) {
    attempt(connector);
  }
  EXPECT_EQ(reached_, "127.0.0.3");
  EXPECT_EQ(names.begun(), 1);
}

TEST_F(ConnectorTest, ALookUpUnderWayHoldsUpNeitherOthersNorTheEnd) {
  SlowNames names;
  {
    Connector slow(loop_, {"slow", port()}, {}, names.look_up());
    slow.connect([](const Connector::Outcome& /*outcome*/) { FAIL() << "it has ended"; });
    Connector other(loop_, {"other", port()}, {}, finds({"127.0.0.3"}));
    EXPECT_EQ(attempt(other), "");
  }
  names.let_go();  // what it finds is for nobody
  loop_.poll();
}

TEST_F(ConnectorTest, CallsBackNoMoreOnceItIsGone) {
  {
    Connector connector(loop_, {"127.0.0.3", port()});
    connector.connect([](const Connector::Outcome& /*outcome*/) { FAIL() << "it has ended"; });
  }
  {
    Connector connector(loop_, {"127.0.0.3", port()});
    connector.connect([](const Connector::Outcome& /*outcome*/) { FAIL() << "it has ended"; });
    loop_.run_one();  // it connects
  }
  loop_.poll();
}

}  // namespace tracker::runtime
